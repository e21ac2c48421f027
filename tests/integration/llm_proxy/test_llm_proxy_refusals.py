"""Requests that must not reach the vendor: a clear answer, and nothing changed."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from sqlalchemy import update

from clawstack.tokens import Token, TokenKind, issue
from services.tables.tenants import Tenant
from services.traffic.llm_proxy.endpoints import MAX_BODY_BYTES
from services.traffic.llm_proxy.limits import InFlight, RateLimit
from services.traffic.llm_proxy.tokens import register_proxy_token, revoke_proxy_tokens
from tests.integration.llm_proxy import vendor as vendors
from tests.integration.llm_proxy.conftest import MODEL, Cell, Proxy, StartProxy
from tests.integration.llm_proxy.vendor import REAL_KEY, Vendor
from tests.waiting import eventually, within

MESSAGES = [{"role": "user", "content": "Hello"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": MESSAGES, **fields}).encode()


REFUSED = {
    "empty": (b"", 400, "malformed_json"),
    "malformed": (b'{"model": "gpt-5-mini", "messages": [', 400, "malformed_json"),
    "not an object": (b"[1, 2]", 400, "malformed_json"),
    "not utf-8": (b'{"model": "\xff\xfe"}', 400, "malformed_json"),
    "not a number": (body(temperature=1).replace(b": 1}", b": NaN}"), 400, "malformed_json"),
    "nested too deep": (b"[" * 200_000, 400, "malformed_json"),
    "an endless number": (b'{"model": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "no model": (json.dumps({"messages": MESSAGES}).encode(), 400, "invalid_request"),
    "model of another type": (body(model=["gpt-5-mini"]), 400, "invalid_request"),
    "no messages": (json.dumps({"model": MODEL}).encode(), 400, "invalid_request"),
    "empty messages": (body(messages=[]), 400, "invalid_request"),
    "stream of another type": (body(stream="yes"), 400, "invalid_request"),
    "options without stream": (body(stream_options={"include_usage": True}), 400, "invalid_request"),
    "too many answers": (body(n=1000), 400, "invalid_request"),
    "negative limit": (body(max_tokens=-1), 400, "invalid_request"),
    "limit of another type": (body(max_completion_tokens=True), 400, "invalid_request"),
    "dearer tier": (body(service_tier="priority"), 400, "unpriced"),
    "audio": (body(modalities=["text", "audio"], audio={"voice": "x"}), 400, "unpriced"),
    "spoken input": (body(messages=[{"role": "user", "content": [{"type": "input_audio"}]}]), 400, "unpriced"),
    "hosted tool": (body(tools=[{"type": "web_search"}]), 400, "unpriced"),
    "web search": (body(web_search_options={}), 400, "unpriced"),
    "unknown model": (body(model="gpt-9"), 404, "model_not_found"),
    "model of a larger plan": (body(model="gpt-5"), 404, "model_not_found"),
    "model of nowhere": (body(model="../../etc/passwd"), 404, "model_not_found"),
    "10 MB": (body(padding="x" * 10_000_000), 413, "request_too_large"),
}


async def test_wrong_bodies_are_refused_and_change_nothing(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    url = f"{proxy.url}/v1/chat/completions"
    for name, (raw, status, code) in REFUSED.items():
        async with proxy.session.post(url, data=io.BytesIO(raw), headers=cell.headers()) as answer:
            document = await answer.json()
        assert (answer.status, document["error"]["code"]) == (status, code), name
        assert len(document["error"]["message"]) > 20, name
        assert answer.headers["x-should-retry"] == "false", name
    assert vendor.bodies == []
    assert (await proxy.books(cell)).untouched()


async def test_the_sentence_about_a_model_names_the_models_of_the_plan(proxy: Proxy, cell: Cell) -> None:
    async with proxy.chat(cell, model="gpt-5") as answer:
        assert (await answer.json())["error"]["message"] == (
            "There is no model 'gpt-5' here. Choose one of: gpt-5-mini, gpt-5-nano."
        )


async def test_a_body_without_end_is_cut_off(proxy: Proxy, cell: Cell) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1 << 20
            yield b"x" * (1 << 20)

    try:
        async with proxy.session.post(
            f"{proxy.url}/v1/chat/completions", data=endless(), headers=cell.headers()
        ) as answer:
            assert answer.status == 413
    except (ConnectionError, OSError):
        pass  # the server closed while the client was still writing
    assert MAX_BODY_BYTES < sent < 8 * MAX_BODY_BYTES
    assert (await proxy.books(cell)).untouched()


UNMETERED = [
    ("GET", "/v1/chat/completions", 405),
    ("POST", "/v1/models", 405),
    ("POST", "/v1/responses", 404),
    ("POST", "/v1/embeddings", 404),
    ("POST", "/v1/images/generations", 404),
    ("GET", "/v1/files", 404),
    ("POST", "/v1/chat/completions/", 404),
    ("POST", "/v1/../v1/chat/completions2", 404),
    ("GET", "/", 404),
]


async def test_whatever_is_not_metered_is_not_offered(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    for method, path, status in UNMETERED:
        async with proxy.session.request(method, proxy.url + path, headers=cell.headers()) as answer:
            assert answer.status == status, path
            assert (await answer.json())["error"]["type"] == "invalid_request_error"
    assert vendor.bodies == []


async def test_anthropics_protocol_is_refused_in_its_own_shape(proxy: Proxy, cell: Cell) -> None:
    key = {"x-api-key": cell.token.reveal()}
    async with proxy.session.post(f"{proxy.url}/v1/messages", json={}, headers=key) as answer:
        document = await answer.json()
    assert (answer.status, document["type"], document["error"]["type"]) == (404, "error", "not_found_error")
    assert "/v1/chat/completions" in document["error"]["message"]


async def refused_with(proxy: Proxy, headers: dict[str, str] | None) -> int:
    document = {"model": MODEL, "messages": MESSAGES}
    async with proxy.session.post(f"{proxy.url}/v1/chat/completions", json=document, headers=headers) as answer:
        text = await answer.text()
        assert REAL_KEY not in text
        if answer.status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert json.loads(text)["error"]["code"] == "invalid_api_key"
        return int(answer.status)


async def test_no_token_but_a_valid_one_opens(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    token, never = cell.token, issue(TokenKind.PROXY)
    assert await refused_with(proxy, cell.headers()) == 200  # the cache now knows the token
    hostile = [
        never.reveal(),
        Token(kind=token.kind, key=token.key, secret=never.secret).reveal(),
        Token(kind=TokenKind.OPERATOR, key=token.key, secret=token.secret).reveal(),
        Token(kind=TokenKind.CHANNEL, key=token.key, secret=token.secret).reveal(),
        token.reveal()[:-1],
        token.reveal() + "A",
        token.reveal() + "A" * 10_000,
        "ü" * 63,
        REAL_KEY,
        "null",
    ]
    for presented in hostile:
        assert await refused_with(proxy, {"authorization": f"Bearer {presented}"}) == 401
    assert await refused_with(proxy, None) == 401
    assert await refused_with(proxy, {"authorization": token.reveal()}) == 401
    assert len(vendor.bodies) == 1


async def test_a_revoked_token_is_refused_within_two_seconds_and_other_tenants_stay(proxy: Proxy, cell: Cell) -> None:
    other = await proxy.add_cell()
    assert await refused_with(proxy, cell.headers()) == 200
    async with proxy.platform.database.transaction() as session:
        assert await revoke_proxy_tokens(session, cell.tenant_id) == 1
    async with within(2, "the revoked token is refused"):
        while await refused_with(proxy, cell.headers()) != 401:
            await asyncio.sleep(0.05)
    served = len((await proxy.books(cell)).entries)
    assert [await refused_with(proxy, cell.headers()) for _ in range(5)] == [401] * 5
    assert len((await proxy.books(cell)).entries) == served
    assert await refused_with(proxy, other.headers()) == 200
    async with proxy.platform.database.transaction() as session:
        await register_proxy_token(session, cell.tenant_id, cell.token)
    assert await refused_with(proxy, cell.headers()) == 200


@pytest.mark.parametrize("state", ["suspended", "absent"])
async def test_a_tenant_that_is_not_wanted_running_is_refused(proxy: Proxy, state: str, vendor: Vendor) -> None:
    cell = await proxy.add_cell(desired_state=state)
    async with proxy.chat(cell) as answer:
        document = await answer.json()
    assert (answer.status, document["error"]["code"]) == (403, "tenant_not_running")
    assert "paused" in document["error"]["message"]
    assert vendor.bodies == []
    async with proxy.platform.database.transaction() as session:
        await session.execute(update(Tenant).where(Tenant.id == cell.tenant_id).values(desired_state="running"))
    async with within(2, "the resumed tenant is served"):
        while await refused_with(proxy, cell.headers()) != 200:
            await asyncio.sleep(0.05)


async def test_a_plan_that_left_the_catalogue_allows_nothing(proxy: Proxy, vendor: Vendor) -> None:
    cell = await proxy.add_cell(plan="grandfathered")
    async with proxy.chat(cell) as answer:
        assert answer.status == 403
    assert vendor.bodies == []


async def test_a_model_without_a_configured_vendor_is_refused(start_proxy: StartProxy) -> None:
    proxy = await start_proxy(llm_upstreams={})
    cell = await proxy.add_cell()
    async with proxy.chat(cell) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "model_unavailable")
    async with proxy.session.get(f"{proxy.url}/v1/models", headers=cell.headers()) as answer:
        assert (await answer.json())["data"] == []
    assert (await proxy.books(cell)).untouched()


async def test_ten_requests_a_second_and_token(start_proxy: StartProxy) -> None:
    proxy = await start_proxy(rate_limit=RateLimit())
    fast, slow = await proxy.add_cell(), await proxy.add_cell()

    async def status(cell: Cell) -> tuple[int, str | None]:
        async with proxy.session.get(f"{proxy.url}/v1/models", headers=cell.headers()) as answer:
            return answer.status, answer.headers.get("retry-after")

    statuses = await asyncio.gather(*(status(fast) for _ in range(40)))
    assert 10 <= statuses.count((200, None)) <= 20
    assert set(statuses) == {(200, None), (429, "1")}
    assert await status(slow) == (200, None)


async def test_a_tenants_requests_in_flight_are_bounded(start_proxy: StartProxy, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_before_headers
    proxy = await start_proxy(in_flight=InFlight(limit=3))
    cell = await proxy.add_cell()

    async def status() -> int:
        async with proxy.chat(cell) as answer:
            return int(answer.status)

    tasks = [asyncio.create_task(status()) for _ in range(3)]
    await eventually(lambda: len(vendor.bodies) >= 3, "three calls at the vendor", seconds=10, pause=0.01)
    assert await status() == 429
    vendor.hold.set()
    assert await asyncio.gather(*tasks) == [200, 200, 200]
    assert await status() == 200
