"""OpenAI's /v1/responses, text and function calls only. Source: the vendor's API reference and its Python client's types."""

from typing import Any

from sandbox.llm.completion import Completion, ToolCall, Usage
from sandbox.llm.openai_chat import ROLES, openai_error
from sandbox.llm.prompt import Prompt, RequestError, Turn, count_pictures, flat_text, required_model
from sandbox.llm.sse import compact, named_frame


class OpenAiResponses:
    """Implements sandbox.llm.dialect.Dialect."""

    def read(self, body: dict[str, Any]) -> Prompt:
        """Return the request in one form. Raises RequestError."""
        items = body.get("input")
        messages = [{"role": "user", "content": items}] if isinstance(items, str) else items
        if not isinstance(messages, list) or not messages:
            raise RequestError(400, "missing_required_parameter", "Missing required parameter: 'input'.")
        instructions = body.get("instructions") or ""
        turns = (Turn(role="system", text=instructions), *(_turn(item) for item in messages))
        tools = compact(body["tools"]) if body.get("tools") else ""
        return Prompt(
            model=required_model(body),
            turns=turns,
            stream=bool(body.get("stream")),
            include_usage=True,
            max_tokens=body.get("max_output_tokens"),
            characters=sum(len(turn.text) for turn in turns) + len(tools),
            cacheable=tools + "".join(turn.text for turn in turns if turn.role == "system"),
            pictures=count_pictures(messages),
        )

    def whole(self, completion: Completion) -> dict[str, Any]:
        """Return the answer in one piece."""
        status = "incomplete" if completion.truncated else "completed"
        reason = {"reason": "max_output_tokens"} if completion.truncated else None
        answer = {**_head(completion, status), "output": _output(completion), "incomplete_details": reason}
        return answer | {"usage": _usage(completion.usage) if completion.usage else None}

    def frames(self, completion: Completion) -> list[str]:
        """Return the answer as server-sent events; usage is part of the last one."""
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": _head(completion, "in_progress")},
            {"type": "response.in_progress", "response": _head(completion, "in_progress")},
        ]
        for index, item in enumerate(_output(completion)):
            place = {"output_index": index, "item_id": item["id"]}
            events.append({"type": "response.output_item.added", "output_index": index, "item": _begun(item)})
            events += _text_events(completion, place) if item["type"] == "message" else _call_events(item, place)
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        end = "response.incomplete" if completion.truncated else "response.completed"
        events.append({"type": end, "response": self.whole(completion)})
        return [named_frame({**event, "sequence_number": number}) for number, event in enumerate(events)]

    def error(self, error: RequestError) -> dict[str, Any]:
        """Return a refusal."""
        return openai_error(error)


def _turn(item: dict[str, Any]) -> Turn:
    if item.get("type") == "function_call_output":
        return Turn(role="tool", text=flat_text(item.get("output")))
    if item.get("type") == "function_call":
        return Turn(role="assistant", text=flat_text(item.get("arguments")))
    return Turn(role=ROLES.get(item.get("role", ""), "user"), text=flat_text(item.get("content")))


def _head(completion: Completion, status: str) -> dict[str, Any]:
    identity = {"id": f"resp_{completion.id}", "object": "response", "created_at": completion.created}
    fixed: dict[str, Any] = {
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
    }
    more = {"tool_choice": "auto", "tools": [], "top_p": 1.0, "incomplete_details": None}
    return {**identity, "status": status, "model": completion.model, "output": [], "usage": None, **fixed, **more}


def _output(completion: Completion) -> list[dict[str, Any]]:
    items = [_call_item(call) for call in completion.tool_calls]
    if completion.text or not items:
        message = {"id": f"msg_{completion.id}", "type": "message", "status": "completed", "role": "assistant"}
        items.insert(0, {**message, "content": [_part(completion.text)]})
    return items


def _call_item(call: ToolCall) -> dict[str, Any]:
    item = {"id": f"fc_{call.id}", "type": "function_call", "status": "completed", "call_id": call.id}
    return {**item, "name": call.name, "arguments": call.arguments}


def _begun(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    return {**item, **empty, "status": "in_progress"}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _text_events(completion: Completion, place: dict[str, Any]) -> list[dict[str, Any]]:
    here = {**place, "content_index": 0}
    events: list[dict[str, Any]] = [{"type": "response.content_part.added", **here, "part": _part("")}]
    delta = {"type": "response.output_text.delta", **here, "logprobs": []}
    events += [{**delta, "delta": piece} for piece in completion.pieces()]
    events.append({"type": "response.output_text.done", **here, "text": completion.text, "logprobs": []})
    events.append({"type": "response.content_part.done", **here, "part": _part(completion.text)})
    return events


def _call_events(item: dict[str, Any], place: dict[str, Any]) -> list[dict[str, Any]]:
    kind, arguments = "response.function_call_arguments", item["arguments"]
    delta = {"type": f"{kind}.delta", **place, "delta": arguments}
    return [delta, {"type": f"{kind}.done", **place, "name": item["name"], "arguments": arguments}]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input + usage.output,
    }
