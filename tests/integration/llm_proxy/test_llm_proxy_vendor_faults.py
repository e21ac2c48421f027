"""Vendors that fail, stall, lie or talk too much; clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import text as sql

from services.run.factory import create_app
from services.run.parts.llm_proxy import create_part
from tests.integration.llm_proxy import vendor as vendors
from tests.integration.llm_proxy.conftest import Cell, Proxy, StartProxy, serving
from tests.integration.llm_proxy.test_llm_proxy_answers import events_of
from tests.integration.llm_proxy.vendor import REAL_KEY, Vendor, answers
from tests.waiting import patient, within


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Everything that is written down or shown during the test; the planted key must not be in it."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with structlog.testing.capture_logs() as entries:
        yield told
    out, err = capfd.readouterr()
    assert REAL_KEY not in "".join([*told, caplog.text, out, err, repr(entries)])


def complaint(message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


REFUSALS = {
    "context too long": (
        answers(400, complaint("This model's maximum context length is 9 tokens.", code="context_length_exceeded")),
        (400, "context_length_exceeded", "maximum context length is 9 tokens"),
    ),
    "a key in the sentence": (
        answers(400, complaint(f"Bad request from {REAL_KEY}")),
        (400, "upstream_error", "Bad request from [secret]"),
    ),
    "our key is refused": (
        answers(401, complaint(f"Incorrect API key provided: {REAL_KEY}.", code="invalid_api_key")),
        (502, "upstream_refused", "cannot be reached"),
    ),
    "our account is forbidden": (answers(403, complaint("No.")), (502, "upstream_refused", "cannot be reached")),
    "the vendor lost the model": (answers(404, complaint("No such model.")), (502, "upstream_refused", "reached")),
    "our money is used up": (
        answers(
            429, complaint("You exceeded your current quota", kind="insufficient_quota", code="insufficient_quota")
        ),
        (502, "upstream_refused", "cannot be reached"),
    ),
    "too fast": (answers(429, complaint("Slow down"), Retry_After="17"), (429, "rate_limit_exceeded", "busy")),
    "overloaded": (answers(503, complaint(f"{REAL_KEY}"), Retry_After="3"), (502, "upstream_error", "problem")),
    "broken page": (answers(500, "<html>oops</html>"), (502, "upstream_error", "problem")),
    "redirect": (answers(307, "", Location="http://127.0.0.1:1/"), (502, "upstream_refused", "reached")),
}


async def test_refusals_of_the_vendor_are_told_in_our_words_and_cost_nothing(
    proxy: Proxy, cell: Cell, vendor: Vendor, told: list[str]
) -> None:
    for name, (manner, (status, code, words)) in REFUSALS.items():
        vendor.manner = manner
        for stream in (False, True):
            async with proxy.chat(cell, stream=stream) as answer:
                text = await answer.text()
            told.append(text + str(answer.headers))
            document = json.loads(text)
            assert (answer.status, document["error"]["code"]) == (status, code), name
            assert words in document["error"]["message"], name
            if name == "too fast":
                assert answer.headers["retry-after"] == "17"
    books = await proxy.books(cell)
    assert {entry.outcome for entry in books.entries} == {"released"}
    assert {entry.status for entry in books.entries} == {307, 400, 401, 403, 404, 429, 500, 503}
    assert books.period is not None
    assert (books.period.tokens_used, books.period.tokens_reserved, books.period.cost_used) == (0, 0, 0)


async def test_a_vendor_that_is_not_there_costs_nothing(start_proxy: StartProxy, vendor: Vendor) -> None:
    vendor.url = "http://127.0.0.1:1/v1"
    proxy = await start_proxy()
    cell = await proxy.add_cell()
    async with proxy.chat(cell) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (502, "upstream_error")
    (entry,) = (await proxy.books(cell)).entries
    assert (entry.outcome, entry.cost, entry.status) == ("released", 0, None)


async def test_a_vendor_that_hangs_up_costs_nothing(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.hangs_up
    async with proxy.chat(cell) as answer:
        assert answer.status == 502
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["released"]
    assert len(vendor.bodies) == 1


async def test_a_silent_vendor_is_given_up_and_charged_by_estimate(start_proxy: StartProxy, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_before_headers
    proxy = await start_proxy(llm_upstream_timeout=timedelta(seconds=0.3))
    cell = await proxy.add_cell()
    async with proxy.chat(cell, max_tokens=77) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (504, "upstream_error")
    (entry,) = (await proxy.books(cell)).entries
    assert (entry.outcome, entry.output_tokens, entry.raw_usage) == ("estimated", 77, None)
    assert entry.cost > 0
    await asyncio.wait_for(vendor.left.wait(), patient(5))


async def test_a_stream_that_stalls_ends_with_an_error_event(start_proxy: StartProxy, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_in_stream
    proxy = await start_proxy(llm_upstream_timeout=timedelta(seconds=0.3))
    cell = await proxy.add_cell()
    async with proxy.chat(cell, stream=True, max_tokens=50) as answer:
        events = events_of(await answer.text())
    assert [event["choices"][0]["delta"]["content"] for event in events[:2]] == ["one ", "two "]
    assert events[2]["error"]["code"] == "upstream_error"
    assert "[DONE]" not in events
    (entry,) = (await proxy.books(cell)).entries
    assert (entry.outcome, entry.output_tokens) == ("estimated", 50)
    await asyncio.wait_for(vendor.left.wait(), patient(5))


async def test_a_stream_that_breaks_ends_with_an_error_event(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.breaks_in_stream
    async with proxy.chat(cell, stream=True) as answer:
        events = events_of(await answer.text())
    assert events[0]["choices"][0]["delta"]["content"] == "one "
    assert "broke off" in events[-1]["error"]["message"]
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["estimated"]
    assert len(vendor.bodies) == 1  # nothing is tried again after the first byte


async def test_usage_of_a_broken_stream_is_what_was_reported_or_seen_whichever_is_more(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    vendor.manner = vendors.counts_early_and_breaks
    async with proxy.chat(cell, stream=True) as answer:
        seen = await answer.text()
    (entry,) = (await proxy.books(cell)).entries
    assert (entry.outcome, entry.input_tokens) == ("estimated", 50)
    assert entry.output_tokens >= seen.count("more ") * 5 // 3 > 500


async def test_an_error_inside_a_stream_is_told_without_secrets(
    proxy: Proxy, cell: Cell, vendor: Vendor, told: list[str]
) -> None:
    vendor.manner = vendors.fails_in_stream
    async with proxy.chat(cell, stream=True) as answer:
        text = await answer.text()
    told.append(text)
    assert events_of(text)[1]["error"] == {
        "message": "Key [secret] is out of luck", "type": "server_error", "param": None, "code": "oops"
    }  # fmt: skip
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["estimated"]


async def test_an_answer_without_usage_is_charged_by_what_was_seen(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.forgets_usage
    async with proxy.chat(cell, stream=True, max_tokens=20) as answer:
        await answer.read()
    async with proxy.chat(cell, max_tokens=20) as answer:
        assert answer.status == 200
    streamed, whole = (await proxy.books(cell)).entries
    assert (streamed.outcome, whole.outcome) == ("estimated", "estimated")
    assert streamed.output_tokens >= 5000  # 15,000 bytes of text, whatever was set aside
    assert whole.output_tokens == 20


async def test_a_success_that_is_no_json_is_an_error(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = answers(200, "{ not json")
    async with proxy.chat(cell) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (502, "upstream_error")
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["estimated"]


@contextlib.asynccontextmanager
async def leaving_client(proxy: Proxy, cell: Cell, **body: Any) -> Any:
    """A request whose connection is cut when the block ends."""
    document = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}], **body}
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        posting = asyncio.create_task(
            session.post(f"{proxy.url}/v1/chat/completions", json=document, headers=cell.headers())
        )
        yield posting
        if posting.done():
            posting.result().close()
        else:
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting


async def test_a_client_that_leaves_in_the_middle_ends_the_vendors_work_and_is_charged(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    vendor.manner = vendors.waits_in_stream
    async with leaving_client(proxy, cell, stream=True, max_tokens=40) as posting:
        response = await posting
        assert b"one" in await response.content.readany()
    await asyncio.wait_for(vendor.left.wait(), patient(5))
    books = await proxy.settled_books(cell)
    (entry,) = books.entries
    assert (entry.outcome, entry.status, entry.output_tokens) == ("estimated", 200, 40)
    assert books.period is not None
    assert books.period.tokens_reserved == 0


async def test_a_client_that_leaves_before_the_first_byte_ends_the_vendors_work_and_is_charged(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    vendor.manner = vendors.waits_before_headers
    for stream in (False, True):
        vendor.arrived.clear()
        vendor.left.clear()
        async with leaving_client(proxy, cell, stream=stream, max_tokens=40):
            await asyncio.wait_for(vendor.arrived.wait(), patient(5))
        await asyncio.wait_for(vendor.left.wait(), patient(5))
    books = await proxy.settled_books(cell, entries=2)
    assert {(entry.outcome, entry.status, entry.output_tokens) for entry in books.entries} == {("estimated", None, 40)}


async def test_a_client_that_leaves_while_money_is_set_aside_leaves_nothing_behind(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    async with proxy.chat(cell) as answer:  # so that the month has a row
        assert answer.status == 200
    async with proxy.platform.database.transaction() as session:
        await session.execute(sql("SELECT 1 FROM usage_periods FOR UPDATE"))
        async with leaving_client(proxy, cell):
            await waiting_for_a_lock(proxy)
    books = await proxy.settled_books(cell, entries=2)
    assert [entry.outcome for entry in books.entries] == ["settled", "released"]
    assert books.period is not None
    assert (books.period.tokens_reserved, books.period.cost_reserved) == (0, 0)
    assert len(vendor.bodies) == 1


async def waiting_for_a_lock(proxy: Proxy) -> None:
    """Returns once a statement of the proxy waits for a row."""
    waiting = sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with within(5, "a statement waits for a row"):
        while True:
            async with proxy.platform.database.transaction() as session:
                if await session.scalar(waiting):
                    return
            await asyncio.sleep(0.02)


async def test_many_clients_that_leave_leave_nothing_reserved(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_in_stream

    async def come_and_go(delay: float) -> None:
        async with leaving_client(proxy, cell, stream=True):
            await asyncio.sleep(delay)  # the point is to leave at any moment, also within the reservation

    await asyncio.gather(*(come_and_go(0.004 * number) for number in range(40)))
    async with within(15, "every call is settled", seen=lambda: len(vendor.bodies)):
        while True:
            books = await proxy.books(cell)
            if not books.open_reservations and len(books.entries) >= len(vendor.bodies):
                break
            await asyncio.sleep(0.05)
    if books.period is not None:
        assert (books.period.tokens_reserved, books.period.cost_reserved) == (0, 0)
        assert books.period.tokens_used == sum(entry.input_tokens + entry.output_tokens for entry in books.entries)


async def test_the_end_of_the_process_settles_what_is_under_way(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_in_stream
    platform = replace(proxy.platform, metrics=CollectorRegistry())
    process = contextlib.AsyncExitStack()
    url = await process.enter_async_context(serving(create_app(platform, [create_part(platform)]), grace=1))
    second = Proxy(platform=platform, url=url, session=proxy.session)
    async with leaving_client(second, cell, stream=True, max_tokens=40) as posting:
        response = await posting
        await response.content.readany()
        assert (await proxy.books(cell)).open_reservations == 1
        await process.aclose()  # while the client still listens
        books = await proxy.books(cell)
    assert [entry.outcome for entry in books.entries] == ["estimated"]
    assert books.open_reservations == 0


async def test_events_arrive_as_they_are_written_and_not_at_the_end(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_in_stream
    async with proxy.chat(cell, stream=True) as answer:
        first = await asyncio.wait_for(answer.content.readany(), patient(5))
        assert b"one" in first
        assert not vendor.hold.is_set()
        vendor.hold.set()
        assert b"[DONE]" in await answer.content.read()
