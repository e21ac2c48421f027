"""OpenAI's /v1/chat/completions. Source: the vendor's API reference and its Python client's types."""

from typing import Any

from sandbox.llm.completion import Completion, Usage
from sandbox.llm.prompt import (
    Prompt,
    RequestError,
    Role,
    Turn,
    count_pictures,
    flat_text,
    required_list,
    required_model,
)
from sandbox.llm.sse import compact, data_frame

ROLES: dict[str, Role] = {"system": "system", "developer": "system", "assistant": "assistant", "tool": "tool"}


class OpenAiChat:
    """Implements sandbox.llm.dialect.Dialect."""

    def read(self, body: dict[str, Any]) -> Prompt:
        """Return the request in one form. Raises RequestError."""
        messages = required_list(body, "messages")
        turns = tuple(
            Turn(role=ROLES.get(m.get("role", ""), "user"), text=flat_text(m.get("content"))) for m in messages
        )
        tools = compact(body["tools"]) if body.get("tools") else ""
        options = body.get("stream_options") or {}
        return Prompt(
            model=required_model(body),
            turns=turns,
            stream=bool(body.get("stream")),
            include_usage=bool(options.get("include_usage")) or not body.get("stream"),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            characters=sum(len(turn.text) for turn in turns) + len(tools),
            cacheable=tools + "".join(turn.text for turn in turns if turn.role == "system"),
            pictures=count_pictures(messages),
        )

    def whole(self, completion: Completion) -> dict[str, Any]:
        """Return the answer in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": completion.text or None, "refusal": None}
        if completion.tool_calls:
            message["tool_calls"] = _tool_calls(completion)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(completion)}
        answer = {**_head(completion, "chat.completion"), "choices": [choice]}
        return answer | ({"usage": usage_body(completion.usage)} if completion.usage else {})

    def frames(self, completion: Completion) -> list[str]:
        """Return the answer as server-sent events; usage comes last, in a chunk without choices, if it was asked for."""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in completion.pieces()]
        deltas += [{"tool_calls": [{"index": i, **call}]} for i, call in enumerate(_tool_calls(completion))]
        chunks = [self._chunk(completion, delta, None) for delta in deltas]
        chunks.append(self._chunk(completion, {}, _finish(completion)))
        if completion.include_usage and completion.usage is not None:
            head = _head(completion, "chat.completion.chunk")
            chunks.append({**head, "choices": [], "usage": usage_body(completion.usage)})
        return [*(data_frame(chunk) for chunk in chunks), "data: [DONE]\n\n"]

    def _chunk(self, completion: Completion, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**_head(completion, "chat.completion.chunk"), "choices": [choice]}
        return chunk | ({"usage": None} if completion.include_usage else {})

    def error(self, error: RequestError) -> dict[str, Any]:
        """Return a refusal."""
        return openai_error(error)


def openai_error(error: RequestError) -> dict[str, Any]:
    """Return a refusal as OpenAI shapes it."""
    kinds = {401: "invalid_request_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}
    kind = kinds.get(error.status, "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}


def usage_body(usage: Usage) -> dict[str, Any]:
    """Return usage as OpenAI shapes it; cached tokens are part of the prompt tokens."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _head(completion: Completion, kind: str) -> dict[str, Any]:
    identity = {"id": f"chatcmpl-{completion.id}", "object": kind, "created": completion.created}
    return {**identity, "model": completion.model, "service_tier": "default", "system_fingerprint": "fp_sandbox"}


def _finish(completion: Completion) -> str:
    if completion.tool_calls:
        return "tool_calls"
    return "length" if completion.truncated else "stop"


def _tool_calls(completion: Completion) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in completion.tool_calls
    ]
