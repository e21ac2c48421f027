"""What a cell gets when everything goes well, and what the ledger says afterwards."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.integration.llm_proxy.conftest import MODEL, Cell, Proxy
from tests.integration.llm_proxy.vendor import REAL_KEY, Vendor


def events_of(text: str) -> list[Any]:
    data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


async def test_an_answer_in_one_piece_is_forwarded_and_charged_as_reported(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    async with proxy.chat(cell, temperature=0.5) as answer:
        document = await answer.json()
        assert answer.status == 200, document
        request_id = uuid.UUID(answer.headers["x-request-id"])
    assert document["choices"][0]["message"]["content"] == "one two three"
    books = await proxy.books(cell)
    (entry,) = books.entries
    assert (entry.outcome, entry.model, entry.upstream, entry.status) == ("settled", MODEL, "openai", 200)
    assert entry.request_id == request_id
    assert (entry.input_tokens, entry.output_tokens) == (vendor.prompt_tokens, vendor.completion_tokens)
    assert entry.cached_input_tokens == vendor.prompt_tokens // 2
    assert entry.price_version == proxy.platform.catalogue.version
    assert entry.raw_usage == document["usage"]
    price = proxy.platform.catalogue.models[MODEL]
    assert entry.cost == price.cost_micro_usd(
        input_tokens=entry.input_tokens,
        cached_input_tokens=entry.cached_input_tokens,
        output_tokens=entry.output_tokens,
    )
    assert entry.cost > 0
    assert books.period is not None
    assert (books.period.tokens_used, books.period.cost_used) == (entry.input_tokens + entry.output_tokens, entry.cost)
    assert (books.period.tokens_reserved, books.period.cost_reserved, books.open_reservations) == (0, 0, 0)


async def test_the_vendor_gets_the_real_key_and_nothing_of_the_cells_headers(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    extra = {**cell.headers(), "x-forwarded-for": "10.0.0.1", "cookie": "a=b", "openai-organization": "theirs"}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.25}
    async with proxy.session.post(f"{proxy.url}/v1/chat/completions", json=body, headers=extra) as answer:
        assert answer.status == 200
        assert REAL_KEY not in str(answer.headers)
    (seen,) = vendor.headers
    assert seen["authorization"] == f"Bearer {REAL_KEY}"
    assert set(seen) <= {
        "host", "authorization", "content-type", "accept", "accept-encoding", "user-agent", "content-length"
    }  # fmt: skip
    assert cell.token.secret not in str(seen)
    assert vendor.bodies == [body]


async def test_a_stream_comes_without_usage_when_the_client_did_not_ask(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    async with proxy.chat(cell, stream=True) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        events = events_of(await answer.text())
    assert vendor.bodies[0]["stream_options"] == {"include_usage": True}
    assert events[-1] == "[DONE]"
    assert [event["choices"][0]["delta"]["content"] for event in events[:-1]] == ["one ", "two ", "three"]
    assert not any(event.get("usage") for event in events[:-1])
    (entry,) = (await proxy.books(cell)).entries
    assert (entry.outcome, entry.output_tokens) == ("settled", 3)
    assert entry.input_tokens == vendor.prompt_tokens


async def test_a_stream_comes_with_usage_when_the_client_asked(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    async with proxy.chat(cell, stream=True, stream_options={"include_usage": True}) as answer:
        events = events_of(await answer.text())
    assert events[-2]["usage"]["completion_tokens"] == vendor.completion_tokens
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["settled"]


async def test_a_client_cannot_switch_usage_off(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    async with proxy.chat(cell, stream=True, stream_options={"include_usage": False}) as answer:
        events = events_of(await answer.text())
    assert vendor.bodies[0]["stream_options"]["include_usage"] is True
    assert not any(isinstance(event, dict) and event.get("usage") for event in events)
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["settled"]


async def test_a_field_named_twice_means_the_same_to_both_sides(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    raw = b'{"model":"gpt-5","model":"gpt-5-nano","messages":[{"role":"user","content":"x"}]}'
    async with proxy.session.post(f"{proxy.url}/v1/chat/completions", data=raw, headers=cell.headers()) as answer:
        assert answer.status == 200
    assert vendor.bodies[0]["model"] == "gpt-5-nano"
    assert [entry.model for entry in (await proxy.books(cell)).entries] == ["gpt-5-nano"]


async def test_models_catalogue_and_usage_speak_of_the_callers_plan(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    async with proxy.session.get(f"{proxy.url}/v1/models", headers=cell.headers()) as answer:
        assert [model["id"] for model in (await answer.json())["data"]] == ["gpt-5-mini", "gpt-5-nano"]
    async with proxy.session.get(f"{proxy.url}/v1/catalog", headers=cell.headers()) as answer:
        (provider,) = (await answer.json())["providers"]
    assert provider["openaiCompatible"] is True
    assert [model["id"] for model in provider["models"]] == ["gpt-5-mini", "gpt-5-nano"]
    assert provider["models"][0]["pricing"]["inputMicrosPerMillion"] == 250_000
    async with proxy.chat(cell) as answer:
        assert answer.status == 200
    async with proxy.session.get(f"{proxy.url}/v1/usage", headers=cell.headers()) as answer:
        usage = await answer.json()
    assert usage["usage"]["summary"]["requestCount"] == 1
    assert usage["usage"]["summary"]["totalTokens"] == vendor.prompt_tokens + vendor.completion_tokens
    assert usage["tokens"]["limit"] == proxy.platform.catalogue.plan("starter").monthly_tokens
    assert usage["budget"]["windowKey"].endswith(f"/{usage['period']}")


async def test_anthropic_clients_may_show_their_token_in_their_own_header(proxy: Proxy, cell: Cell) -> None:
    key = {"x-api-key": cell.token.reveal()}
    async with proxy.session.get(f"{proxy.url}/v1/models", headers=key) as answer:
        assert answer.status == 200
    both = {**cell.headers(), **key}
    async with proxy.session.get(f"{proxy.url}/v1/models", headers=both) as answer:
        assert answer.status == 401
