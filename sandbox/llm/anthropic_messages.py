"""Anthropic's /v1/messages. Source: the vendor's API reference and its Python client's types."""

import json
from typing import Any

from sandbox.llm.completion import Completion, Usage
from sandbox.llm.prompt import Prompt, RequestError, Turn, count_pictures, flat_text, required_list, required_model
from sandbox.llm.sse import compact, named_frame

_ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class AnthropicMessages:
    """Implements sandbox.llm.dialect.Dialect."""

    def read(self, body: dict[str, Any]) -> Prompt:
        """Return the request in one form. Raises RequestError."""
        messages = required_list(body, "messages")
        if not isinstance(body.get("max_tokens"), int):
            raise RequestError(400, "invalid_request_error", "max_tokens: Field required")
        system = flat_text(body.get("system"))
        turns = (Turn(role="system", text=system), *(_turn(message) for message in messages))
        tools = compact(body["tools"]) if body.get("tools") else ""
        marked = '"cache_control":{' in compact(body)  # Anthropic caches only what the request marks
        return Prompt(
            model=required_model(body),
            turns=turns,
            stream=bool(body.get("stream")),
            include_usage=True,
            max_tokens=body["max_tokens"],
            characters=sum(len(turn.text) for turn in turns) + len(tools),
            tells_cache_writes=True,
            cacheable=tools + system if marked else "",
            pictures=count_pictures(messages),
        )

    def whole(self, completion: Completion) -> dict[str, Any]:
        """Return the answer in one piece."""
        blocks: list[dict[str, Any]] = [{"type": "text", "text": completion.text}] if completion.text else []
        calls = completion.tool_calls
        blocks += [{"type": "tool_use", "id": c.id, "name": c.name, "input": json.loads(c.arguments)} for c in calls]
        return {**_message(completion, _usage(completion.usage)), "content": blocks, "stop_reason": _stop(completion)}

    def frames(self, completion: Completion) -> list[str]:
        """Return the answer as server-sent events; message_delta carries the cumulative output count."""
        start_usage = _usage(completion.usage) | {"output_tokens": 1} if completion.usage else {}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": _message(completion, start_usage)}]
        events.append({"type": "ping"})
        blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        if completion.text:
            deltas = [{"type": "text_delta", "text": piece} for piece in completion.pieces()]
            blocks.append(({"type": "text", "text": ""}, deltas))
        for call in completion.tool_calls:
            head = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            blocks.append((head, [{"type": "input_json_delta", "partial_json": call.arguments}]))
        for index, (head, deltas) in enumerate(blocks):
            events.append({"type": "content_block_start", "index": index, "content_block": head})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        end: dict[str, Any] = {"stop_reason": _stop(completion), "stop_sequence": None}
        events.append({"type": "message_delta", "delta": end, "usage": _usage(completion.usage)})
        events.append({"type": "message_stop"})
        return [named_frame(event) for event in events]

    def error(self, error: RequestError) -> dict[str, Any]:
        """Return a refusal."""
        kind = _ERROR_KINDS.get(error.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": "req_sandbox"}


def _turn(message: dict[str, Any]) -> Turn:
    content = message.get("content")
    if message.get("role") == "assistant":
        return Turn(role="assistant", text=flat_text(content))
    results = isinstance(content, list) and content and all(b.get("type") == "tool_result" for b in content)
    return Turn(role="tool" if results else "user", text=flat_text(content))


def _message(completion: Completion, usage: dict[str, Any]) -> dict[str, Any]:
    head = {"id": f"msg_{completion.id}", "type": "message", "role": "assistant", "model": completion.model}
    return {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}


def _usage(usage: Usage | None) -> dict[str, Any]:
    """Anthropic counts cached input apart from input_tokens."""
    if usage is None:
        return {}
    return {
        "input_tokens": usage.input - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }


def _stop(completion: Completion) -> str:
    if completion.tool_calls:
        return "tool_use"
    return "max_tokens" if completion.truncated else "end_turn"
