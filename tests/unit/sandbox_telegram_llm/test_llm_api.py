"""The vendors' APIs: keys, models, usage, limits, scripts, faults and the record."""

import json

import pytest

from tests.unit.sandbox_telegram_llm.conftest import LlmSide


async def test_keys_are_checked_in_each_vendors_way(llm: LlmSide) -> None:
    llm.headers = {"authorization": "Bearer placeholder-of-a-cell"}
    refused = await llm.ask()
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert "placeholder-of-a-cell" not in refused.text
    other = await llm.ask("/v1/messages", max_tokens=10)
    assert other.json()["error"]["type"] == "authentication_error"
    assert (await llm.http.get("/v1/models", headers=llm.headers)).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "no-such-model"}, 404),
        ("/v1/chat/completions", {"model": ""}, 400),
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/messages", {}, 400),  # max_tokens is required there
        ("/v1/responses", {}, 400),
    ],
)
async def test_wrong_requests(llm: LlmSide, path: str, body: dict[str, object], status: int) -> None:
    assert (await llm.ask(path, **body)).status_code == status


async def test_usage_is_deterministic_and_knows_the_cache(llm: LlmSide) -> None:
    system = {"role": "system", "content": "s" * 8000}
    messages = [system, {"role": "user", "content": "hi"}]
    first = (await llm.ask(messages=messages)).json()["usage"]
    second = (await llm.ask(messages=messages)).json()["usage"]
    assert first["prompt_tokens"] == second["prompt_tokens"] == 2001  # (8000 + 2) / 4, rounded up
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] == 1920  # 2000, in blocks of 128
    assert second["total_tokens"] == 2001 + second["completion_tokens"]


async def test_output_limit_cuts(llm: LlmSide) -> None:
    body = (await llm.ask(max_completion_tokens=2)).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == "Hi! I'm "
    assert body["usage"]["completion_tokens"] == 2


async def test_streamed_usage_only_if_asked_for_and_last(llm: LlmSide) -> None:
    def chunks(text: str) -> list[dict[str, object]]:
        lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
        assert lines[-1] == "[DONE]"
        return [json.loads(line) for line in lines[:-1]]

    plain = chunks((await llm.ask(stream=True)).text)
    assert all("usage" not in chunk for chunk in plain)
    asked = chunks((await llm.ask(stream=True, stream_options={"include_usage": True})).text)
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["completion_tokens"] == 10  # type: ignore[index]
    assert all(chunk["usage"] is None for chunk in asked[:-1])


async def test_scripted_tool_call_for_the_request_it_is_meant_for(llm: LlmSide) -> None:
    call = {"name": "tool_search", "arguments": {"query": "milk"}}
    await llm.order("script", {"answers": [{"containing": "search", "tool_calls": [call]}]})
    assert (await llm.ask()).json()["choices"][0]["finish_reason"] == "stop"
    choice = (await llm.ask(messages=[{"role": "user", "content": "search"}])).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"query": "milk"}
    again = (await llm.ask(messages=[{"role": "user", "content": "search"}])).json()["choices"][0]
    assert again["finish_reason"] == "stop"


async def test_status_fault_has_the_vendors_shape_and_is_used_up(llm: LlmSide) -> None:
    await llm.order("faults", {"kind": "status", "status": 429, "code": "rate_limit", "retry_after": 3, "times": 2})
    first, second, third = [await llm.ask() for _ in range(3)]
    assert (first.status_code, second.status_code, third.status_code) == (429, 429, 200)
    assert first.headers["retry-after"] == "3"
    assert first.json()["error"]["type"] == "rate_limit_error"


async def test_answers_that_lie_about_usage(llm: LlmSide) -> None:
    await llm.order("faults", {"kind": "no_usage"})
    assert "usage" not in (await llm.ask()).json()
    await llm.order("faults", {"kind": "wrong_usage", "usage": {"input": 0, "output": 1_000_000}})
    assert (await llm.ask()).json()["usage"]["completion_tokens"] == 1_000_000


async def test_malformed_answers(llm: LlmSide) -> None:
    await llm.order("faults", {"kind": "malformed", "times": 2})
    with pytest.raises(json.JSONDecodeError):
        (await llm.ask()).json()
    lines = [line.removeprefix("data: ") for line in (await llm.ask(stream=True)).text.splitlines() if line]
    broken = 0
    for line in lines[:-1]:
        try:
            json.loads(line)
        except ValueError:
            broken += 1
    assert broken == 1


async def test_the_record_keeps_headers_and_bodies(llm: LlmSide) -> None:
    await llm.ask()
    llm.headers = {"x-api-key": "placeholder"}
    await llm.ask("/v1/messages", max_tokens=5)
    record = (await llm.http.get("/_control/requests")).json()
    assert [(r["path"], r["outcome"], r["status"]) for r in record["requests"]] == [
        ("/v1/chat/completions", "answered", 200),
        ("/v1/messages", "refused", 401),
    ]
    assert record["requests"][0]["headers"]["authorization"].startswith("Bearer sk-sandbox-")
    assert record["requests"][0]["body"]["messages"][0]["content"] == "hi"
    assert record["requests"][0]["usage"]["output"] == 10
    await llm.http.delete("/_control/requests")
    assert (await llm.http.get("/_control/requests")).json()["requests"] == []


async def test_unknown_orders_are_refused(llm: LlmSide) -> None:
    assert (await llm.http.post("/_control/faults", json={"kind": "explode"})).status_code == 400
    assert (await llm.http.post("/_control/latency", json={"chunk_ms": -1})).status_code == 400
