"""The LLM proxy on a real port, a real database and a vendor whose manners a test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import psycopg
import pytest
import uvicorn
from sqlalchemy import func, make_url, select
from typing_extensions import override

from clawstack.plans import Catalogue, load_catalogue
from clawstack.settings import Upstream
from clawstack.tokens import Token, TokenKind, issue
from services.kit.context import Platform
from services.kit.database.base import utcnow
from services.kit.database.connection import libpq_url
from services.run.factory import create_app
from services.run.parts.llm_proxy import create_part
from services.tables.ledger import LedgerEntry, Reservation, UsagePeriod
from services.tables.tenants import Tenant
from services.traffic.ledger.schemas import period_of
from services.traffic.llm_proxy.limits import InFlight, RateLimit
from services.traffic.llm_proxy.tokens import register_proxy_token
from tests.integration.llm_proxy import vendor as vendors
from tests.integration.llm_proxy.vendor import REAL_KEY, Vendor
from tests.waiting import patient, within

MODEL = "gpt-5-mini"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A tenant and what its cell knows."""

    tenant_id: uuid.UUID
    token: Token

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token.reveal()}"}


@dataclass(frozen=True, kw_only=True)
class Books:
    """What the database says about one tenant."""

    entries: tuple[LedgerEntry, ...]
    open_reservations: int
    period: UsagePeriod | None

    def untouched(self) -> bool:
        return not self.entries and not self.open_reservations and self.period is None


class Proxy:
    """The running proxy and shorthands for talking to it."""

    def __init__(self, *, platform: Platform, url: str, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.url = url
        self.session = session

    async def add_cell(self, *, plan: str = "starter", desired_state: str = "running") -> Cell:
        tenant_id, token = uuid.uuid4(), issue(TokenKind.PROXY)
        async with self.platform.database.transaction() as session:
            session.add(
                Tenant(
                    id=tenant_id,
                    slug=f"tenant-{tenant_id.hex[:10]}",
                    plan=plan,
                    bundle="parenting",
                    bundle_version="1",
                    substrate="process",
                    answers={},
                    desired_state=desired_state,
                )
            )
            await session.flush()
            await register_proxy_token(session, tenant_id, token)
        return Cell(tenant_id=tenant_id, token=token)

    def chat(self, cell: Cell, **body: Any) -> Any:
        """An aiohttp request context."""
        document = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], **body}
        return self.session.post(f"{self.url}/v1/chat/completions", json=document, headers=cell.headers())

    async def books(self, cell: Cell) -> Books:
        async with self.platform.database.transaction() as session:
            await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # one moment
            mine = select(LedgerEntry).where(LedgerEntry.tenant_id == cell.tenant_id).order_by(LedgerEntry.id)
            open_ = select(func.count()).select_from(Reservation).where(Reservation.tenant_id == cell.tenant_id)
            return Books(
                entries=tuple((await session.scalars(mine)).all()),
                open_reservations=int(await session.scalar(open_) or 0),
                period=await session.get(UsagePeriod, (cell.tenant_id, period_of(utcnow()))),
            )

    async def settled_books(self, cell: Cell, entries: int = 1) -> Books:
        """The books once there are so many entries and nothing is reserved."""
        books: list[Books] = []  # the last ones

        async def settled() -> bool:
            books[:] = [await self.books(cell)]
            return len(books[0].entries) >= entries and not books[0].open_reservations

        async with within(15, f"{entries} entries and nothing reserved", seen=lambda: books):
            while not await settled():
                await asyncio.sleep(0.02)
        return books[0]


class _Server(uvicorn.Server):
    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # the test run keeps its own handlers
        yield


@asynccontextmanager
async def serving(app: Any, *, grace: int = 5) -> AsyncIterator[str]:
    """uvicorn on a free port, in this loop; the address of `/llm`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=grace))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/llm"
        server.should_exit = True
        await task


@asynccontextmanager
async def outage(url: str) -> AsyncIterator[None]:
    """PostgreSQL ends every connection to this database and takes no new one while the block runs."""
    name = make_url(url).database
    admin = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(libpq_url(admin), autocommit=True) as connection:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


StartProxy = Callable[..., Awaitable[Proxy]]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """A vendor with good manners; set `vendor.manner` for others."""
    async with vendors.running(Vendor(manner=vendors.polite)) as vendor:
        yield vendor


@pytest.fixture
async def start_proxy(platform: Platform, vendor: Vendor) -> AsyncIterator[StartProxy]:
    """Starts a proxy: `await start_proxy(catalogue=..., rate_limit=..., llm_upstream_timeout=...)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *,
            catalogue: Catalogue | None = None,
            rate_limit: RateLimit | None = None,
            in_flight: InFlight | None = None,
            **settings: Any,
        ) -> Proxy:
            upstreams = {"openai": Upstream(base_url=vendor.url, api_key=REAL_KEY)}
            update = {"llm_upstreams": upstreams, "llm_upstream_timeout": timedelta(seconds=5), **settings}
            mine = replace(
                platform,
                settings=platform.settings.model_copy(update=update),
                catalogue=catalogue or platform.catalogue,
            )
            part = create_part(
                mine,
                rate_limit=rate_limit or RateLimit(rate=10_000, burst=10_000),
                in_flight=in_flight or InFlight(limit=1000),
            )
            url = await stack.enter_async_context(serving(create_app(mine, [part])))
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=patient(30)), connector=aiohttp.TCPConnector(limit=0)
                )
            )
            return Proxy(platform=mine, url=url, session=session)

        yield start


@pytest.fixture
async def proxy(start_proxy: StartProxy) -> Proxy:
    """A proxy without limits on speed."""
    return await start_proxy()


@pytest.fixture
async def cell(proxy: Proxy) -> Cell:
    """A starter tenant."""
    return await proxy.add_cell()


def small_catalogue(*, monthly_tokens: int | None = None, monthly_budget_usd: float | None = None) -> Catalogue:
    """The shipped catalogue with smaller limits for the starter plan."""
    catalogue = load_catalogue()
    starter = catalogue.plans["starter"]
    update = {"monthly_tokens": monthly_tokens, "monthly_budget_usd": monthly_budget_usd}
    changed = starter.model_validate(
        {**starter.model_dump(), **{name: value for name, value in update.items() if value is not None}}
    )
    return catalogue.model_copy(update={"plans": {**catalogue.plans, "starter": changed}})
