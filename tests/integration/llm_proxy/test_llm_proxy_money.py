"""Money: limits under concurrency, every request settled once, one tenant's use never another's."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from procrastinate import App
from procrastinate.testing import InMemoryConnector
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import func, select, text, update

from clawstack.errors import ClawstackError, InvalidInputError, PermanentError
from clawstack.tokens import TokenKind, issue
from services.kit.database.base import utcnow
from services.kit.database.connection import Database, libpq_url
from services.kit.database.hot_path import Connections
from services.run.factory import create_app
from services.run.parts.llm_proxy import create_part
from services.tables.ledger import LedgerEntry, Reservation, UsagePeriod
from services.tables.tenants import Tenant
from services.traffic.ledger.schemas import RequestOutcome, Reserved, Settlement, TokenCount, period_of
from services.traffic.ledger.store import LedgerStore
from services.traffic.ledger.tasks import expire_reservations
from services.traffic.ledger.usage import usage_of
from services.traffic.llm_proxy.tokens import register_proxy_token
from tests.integration.llm_proxy import vendor as vendors
from tests.integration.llm_proxy.conftest import MODEL, Cell, Proxy, StartProxy, outage, serving, small_catalogue
from tests.integration.llm_proxy.vendor import Vendor
from tests.waiting import patient, within


async def statuses(proxy: Proxy, cell: Cell, count: int, **body: object) -> list[int]:
    async def one() -> int:
        async with proxy.chat(cell, **body) as answer:
            await answer.read()
            return int(answer.status)

    return await asyncio.gather(*(one() for _ in range(count)))


async def test_a_hundred_at_once_at_the_limit_stay_within_it(start_proxy: StartProxy, vendor: Vendor) -> None:
    """Answers here are never longer than what is set aside for them, so the documented excess is nothing."""
    vendor.manner = vendors.waits_before_headers
    limit = 3000
    proxy = await start_proxy(catalogue=small_catalogue(monthly_tokens=limit))
    cell = await proxy.add_cell()
    asking = [asyncio.create_task(statuses(proxy, cell, 1, max_tokens=100)) for _ in range(100)]
    async with within(20, "all are answered or let in", seen=lambda: len(vendor.bodies)):
        while sum(task.done() for task in asking) + len(vendor.bodies) < 100:  # all are either refused or let in
            await asyncio.sleep(0.02)
    period = (await proxy.books(cell)).period
    assert period is not None
    assert limit - 150 < period.tokens_used + period.tokens_reserved <= limit
    vendor.hold.set()
    result = [status for task in asking for status in await task]
    assert set(result) == {200, 429}
    assert result.count(200) == len(vendor.bodies)
    books = await proxy.settled_books(cell, entries=result.count(200))
    assert books.period is not None
    assert books.period.tokens_reserved == books.period.cost_reserved == 0
    assert books.period.tokens_used == vendor.prompt_tokens + vendor.completion_tokens <= limit


async def test_at_the_end_the_ledger_is_the_vendors_invoice(proxy: Proxy, vendor: Vendor) -> None:
    cells = [await proxy.add_cell() for _ in range(3)]
    for stream in (False, True):
        await asyncio.gather(*(statuses(proxy, cell, 20, stream=stream) for cell in cells))
    async with proxy.platform.database.transaction() as session:
        sums = select(func.sum(LedgerEntry.input_tokens), func.sum(LedgerEntry.output_tokens), func.count())
        total = (await session.execute(sums)).one()
        periods = await session.scalar(select(func.sum(UsagePeriod.tokens_used)))
        costs = await session.execute(
            select(func.sum(LedgerEntry.cost), select(func.sum(UsagePeriod.cost_used)).scalar_subquery())
        )
        ledger_cost, period_cost = costs.one()
    assert tuple(total) == (vendor.prompt_tokens, vendor.completion_tokens, 120)
    assert periods == vendor.prompt_tokens + vendor.completion_tokens
    assert ledger_cost == period_cost > 0
    for cell in cells:
        assert len((await proxy.books(cell)).entries) == 40


async def test_a_used_up_month_is_refused_with_a_sentence_for_the_customer(
    start_proxy: StartProxy, vendor: Vendor
) -> None:
    proxy = await start_proxy(catalogue=small_catalogue(monthly_tokens=5000))
    cell = await proxy.add_cell()
    async with proxy.platform.database.transaction() as session:
        session.add(UsagePeriod(tenant_id=cell.tenant_id, period=period_of(utcnow()), tokens_used=5000))
    async with proxy.chat(cell) as answer:
        document = await answer.json()
    assert answer.status == 429
    assert document["error"]["code"] == "monthly_limit_reached"
    assert document["error"]["type"] == "rate_limit_error"
    message = document["error"]["message"]
    assert message.startswith("Monthly usage limit reached: the allowance of your Starter plan is used up.")
    assert re.search(r"It starts again on 1 [A-Z][a-z]+ 20\d\d \(UTC\)\.", message)
    assert len(message) <= 300
    assert "retry-after" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"
    assert vendor.bodies == []
    books = await proxy.books(cell)
    assert (len(books.entries), books.open_reservations) == (0, 0)


async def test_the_money_limit_counts_like_the_token_limit(start_proxy: StartProxy, vendor: Vendor) -> None:
    proxy = await start_proxy(catalogue=small_catalogue(monthly_budget_usd=0.01))
    cell = await proxy.add_cell()
    async with proxy.platform.database.transaction() as session:
        session.add(UsagePeriod(tenant_id=cell.tenant_id, period=period_of(utcnow()), cost_used=9_999))
    assert await statuses(proxy, cell, 1) == [429]
    assert vendor.bodies == []
    async with proxy.session.get(f"{proxy.url}/v1/usage", headers=cell.headers()) as answer:
        budget = (await answer.json())["budget"]
    assert budget["limitMicros"] == 10_000
    assert budget["spentMicros"] == 9_999


async def test_last_months_use_does_not_count(start_proxy: StartProxy) -> None:
    proxy = await start_proxy(catalogue=small_catalogue(monthly_tokens=5000))
    cell = await proxy.add_cell()
    async with proxy.platform.database.transaction() as session:
        session.add(UsagePeriod(tenant_id=cell.tenant_id, period="2026-01", tokens_used=5000))
    assert await statuses(proxy, cell, 1, max_tokens=100) == [200]


async def test_answers_under_way_are_told_from_a_used_up_month(start_proxy: StartProxy, vendor: Vendor) -> None:
    vendor.manner = vendors.waits_before_headers
    proxy = await start_proxy(catalogue=small_catalogue(monthly_tokens=400))
    cell = await proxy.add_cell()
    first = asyncio.create_task(statuses(proxy, cell, 1, max_tokens=300))
    await asyncio.wait_for(vendor.arrived.wait(), patient(10))
    async with proxy.chat(cell, max_tokens=300) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (429, "limit_reserved")
        assert int(answer.headers["retry-after"]) > 0
    vendor.hold.set()
    assert await first == [200]
    assert await statuses(proxy, cell, 1, max_tokens=300) == [200]


def reservation(tenant_id: uuid.UUID, *, expires_in: timedelta = timedelta(minutes=1)) -> Reserved:
    return Reserved(
        id=uuid.uuid4(),
        tenant_id=tenant_id,
        period="2026-11",
        model=MODEL,
        upstream="openai",
        price_version="1",
        tokens=TokenCount(input=10, output=20),
        cost=7,
        expires_at=utcnow() + expires_in,
    )


async def reserve(store: LedgerStore, *reservations: Reserved, limit: int = 10**6) -> list[bool]:
    return await asyncio.gather(
        *(store.reserve(wanted, tokens_limit=limit, cost_limit=10**9) for wanted in reservations)
    )


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[LedgerStore]:
    async with Connections(libpq_url(postgres_url), size=10) as connections:
        yield LedgerStore(connections)


async def test_the_limit_is_exact_when_many_reserve_at_once(
    database: Database, store: LedgerStore, proxy: Proxy
) -> None:
    cell = await proxy.add_cell()
    fits = await reserve(store, *(reservation(cell.tenant_id) for _ in range(50)), limit=330)
    assert fits.count(True) == 11
    async with database.transaction() as session:
        period = await session.get_one(UsagePeriod, (cell.tenant_id, "2026-11"))
        assert (period.tokens_reserved, period.cost_reserved) == (330, 77)
        assert await session.scalar(select(func.count()).select_from(Reservation)) == 11


async def test_a_reservation_that_is_written_twice_counts_once(
    store: LedgerStore, database: Database, proxy: Proxy
) -> None:
    """The second try of a statement whose connection broke after it was committed."""
    cell = await proxy.add_cell()
    wanted = reservation(cell.tenant_id)
    assert await reserve(store, wanted, wanted) == [True, True]
    async with database.transaction() as session:
        period = await session.get_one(UsagePeriod, (cell.tenant_id, "2026-11"))
    assert (period.tokens_reserved, period.cost_reserved) == (30, 7)


async def test_a_reservation_is_settled_once_whoever_comes(
    database: Database, store: LedgerStore, proxy: Proxy
) -> None:
    cell = await proxy.add_cell()
    wanted = reservation(cell.tenant_id, expires_in=-timedelta(seconds=1))
    assert await reserve(store, wanted) == [True]

    async def settle(output: int) -> bool:
        tokens = TokenCount(input=10, cached=4, output=output)
        return await store.settle(
            Settlement(
                reservation=wanted, outcome=RequestOutcome.SETTLED, tokens=tokens, cost=output, raw_usage={"a": [1]}
            )
        )

    results = await asyncio.gather(*(settle(output) for output in range(20)), expire_reservations(database))
    assert results.count(True) + int(results[-1]) == 1 or results.count(True) == 1
    async with database.transaction() as session:
        entry = (await session.scalars(select(LedgerEntry))).one()
        period = await session.get_one(UsagePeriod, (cell.tenant_id, "2026-11"))
    assert period.tokens_used == entry.input_tokens + entry.output_tokens
    assert period.cost_used == entry.cost
    assert (period.tokens_reserved, period.cost_reserved) == (0, 0)


async def test_what_a_crash_left_reserved_is_charged_as_an_estimate(
    database: Database, store: LedgerStore, proxy: Proxy
) -> None:
    cells = [await proxy.add_cell() for _ in range(3)]
    lost = [reservation(cell.tenant_id, expires_in=-timedelta(seconds=1)) for cell in cells for _ in range(4)]
    alive = reservation(cells[0].tenant_id)
    assert all(await reserve(store, *lost, alive))
    assert sum(await asyncio.gather(*(expire_reservations(database) for _ in range(5)))) == 12
    assert await expire_reservations(database) == 0
    async with database.transaction() as session:
        entries = (await session.scalars(select(LedgerEntry))).all()
        period = await session.get_one(UsagePeriod, (cells[0].tenant_id, "2026-11"))
    assert {entry.outcome for entry in entries} == {"estimated"}
    assert {entry.request_id for entry in entries} == {row.id for row in lost}
    assert (period.tokens_used, period.cost_used) == (4 * 30, 4 * 7)
    assert (period.tokens_reserved, period.cost_reserved) == (30, 7)


async def test_without_the_ledger_nothing_is_forwarded(start_proxy: StartProxy, vendor: Vendor) -> None:
    proxy = await start_proxy()
    cell = await proxy.add_cell()
    assert await statuses(proxy, cell, 1) == [200]
    async with proxy.platform.database.transaction() as session:
        await session.execute(text("ALTER TABLE usage_periods RENAME TO away"))
    async with proxy.chat(cell) as answer:
        assert answer.status in {500, 503}
    assert len(vendor.bodies) == 1
    async with proxy.platform.database.transaction() as session:
        await session.execute(text("ALTER TABLE away RENAME TO usage_periods"))
    assert await statuses(proxy, cell, 1) == [200]


async def test_an_unreachable_database_refuses_and_says_when_to_come_back(
    proxy: Proxy, cell: Cell, vendor: Vendor, postgres_url: str
) -> None:
    assert await statuses(proxy, cell, 1) == [200]
    async with outage(postgres_url), proxy.chat(cell) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (503, "ledger_unavailable")
        assert answer.headers["retry-after"] == "2"
    assert len(vendor.bodies) == 1


async def test_a_restarted_database_costs_no_request(proxy: Proxy, cell: Cell, postgres_url: str) -> None:
    assert await statuses(proxy, cell, 10) == [200] * 10
    async with outage(postgres_url):
        pass
    assert await statuses(proxy, cell, 10) == [200] * 10


async def test_a_settlement_waits_for_the_database_to_come_back(
    proxy: Proxy, cell: Cell, vendor: Vendor, postgres_url: str
) -> None:
    vendor.manner = vendors.waits_before_headers
    asking = asyncio.create_task(statuses(proxy, cell, 1))
    await asyncio.wait_for(vendor.arrived.wait(), patient(10))
    async with outage(postgres_url):
        vendor.hold.set()
        assert await asking == [200]  # the answer is paid for; the customer shall have it
    books = await proxy.settled_books(cell)
    assert [entry.outcome for entry in books.entries] == ["settled"]
    assert books.entries[0].output_tokens == vendor.completion_tokens


async def test_the_end_of_the_process_waits_for_settlements(
    start_proxy: StartProxy, vendor: Vendor, postgres_url: str
) -> None:
    vendor.manner = vendors.waits_before_headers
    proxy = await start_proxy()
    cell = await proxy.add_cell()
    platform = replace(proxy.platform, metrics=CollectorRegistry())
    async with serving(create_app(platform, [create_part(platform)])) as url:
        second = Proxy(platform=platform, url=url, session=proxy.session)
        asking = asyncio.create_task(statuses(second, cell, 1))
        await asyncio.wait_for(vendor.arrived.wait(), patient(10))
        async with outage(postgres_url):
            vendor.hold.set()
            assert await asking == [200]
    books = await proxy.books(cell)
    assert [entry.outcome for entry in books.entries] == ["settled"]


async def test_tokens_account_to_their_own_tenant_only(proxy: Proxy, database: Database) -> None:
    mine, theirs = await proxy.add_cell(), await proxy.add_cell()
    assert await statuses(proxy, mine, 3) == [200] * 3
    assert (await proxy.books(theirs)).untouched()
    with pytest.raises(PermanentError, match="another tenant"):
        async with database.transaction() as session:
            await register_proxy_token(session, theirs.tenant_id, mine.token)
    with pytest.raises(InvalidInputError):
        async with database.transaction() as session:
            await register_proxy_token(session, theirs.tenant_id, issue(TokenKind.CHANNEL))
    assert await statuses(proxy, mine, 1) == [200]
    assert (await proxy.books(theirs)).untouched()


async def test_usage_adds_up_by_model_and_refuses_months_that_are_none(
    proxy: Proxy, cell: Cell, vendor: Vendor
) -> None:
    await statuses(proxy, cell, 2)
    await statuses(proxy, cell, 1, model="gpt-5-nano")
    plan = proxy.platform.catalogue.plan("starter")
    async with proxy.platform.database.transaction() as session:
        used = await usage_of(session, cell.tenant_id, plan)
        empty = await usage_of(session, cell.tenant_id, plan, "2026-01")
        for period in ("2026-13", "2026-1", "now", "2026-11'--"):
            with pytest.raises(ClawstackError, match="not a month"):
                await usage_of(session, cell.tenant_id, plan, period)
    assert used.tokens_used == vendor.prompt_tokens + vendor.completion_tokens
    assert [(model.model, model.requests) for model in used.by_model] == [(MODEL, 2), ("gpt-5-nano", 1)]
    assert used.cost_micro_usd == sum(model.cost_micro_usd for model in used.by_model)
    assert (empty.tokens_used, empty.by_model) == (0, ())


async def test_metrics_count_and_name_nobody(proxy: Proxy, cell: Cell, vendor: Vendor) -> None:
    await statuses(proxy, cell, 3)
    await statuses(proxy, cell, 1, model="gpt-9")
    registry = proxy.platform.metrics
    labels = {"model": MODEL, "outcome": "settled"}
    assert registry.get_sample_value("clawstack_llm_requests_total", labels) == 3
    labels = {"model": MODEL, "direction": "output"}
    assert registry.get_sample_value("clawstack_llm_tokens_total", labels) == vendor.completion_tokens
    assert registry.get_sample_value("clawstack_llm_refusals_total", {"code": "model_not_found"}) == 1
    assert registry.get_sample_value("clawstack_llm_in_flight") == 0
    text_ = generate_latest(registry).decode()
    for secret in (
        str(cell.tenant_id),
        f"tenant-{cell.tenant_id.hex[:10]}",
        cell.token.key,
        cell.token.secret,
        "gpt-9",
    ):
        assert secret not in text_


async def test_the_job_charges_what_was_left(database: Database, store: LedgerStore, proxy: Proxy, cell: Cell) -> None:
    app = App(connector=InMemoryConnector())
    part = create_part(proxy.platform)
    assert part.register_tasks is not None
    part.register_tasks(app)
    await reserve(store, reservation(cell.tenant_id, expires_in=-timedelta(seconds=1)))
    await app.tasks["llm_proxy.expire_reservations"](timestamp=0)
    assert [entry.outcome for entry in (await proxy.books(cell)).entries] == ["estimated"]


async def test_another_plan_counts_within_two_seconds(start_proxy: StartProxy) -> None:
    proxy = await start_proxy(catalogue=small_catalogue(monthly_tokens=50))
    cell = await proxy.add_cell()
    assert await statuses(proxy, cell, 1) == [429]
    async with proxy.platform.database.transaction() as session:
        await session.execute(update(Tenant).where(Tenant.id == cell.tenant_id).values(plan="pro"))
    async with within(2, "the larger plan allows more"):
        while await statuses(proxy, cell, 1) != [200]:
            await asyncio.sleep(0.05)
    assert Decimal(proxy.platform.catalogue.plan("pro").monthly_tokens) > 50
