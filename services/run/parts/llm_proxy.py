"""Wiring of the LLM proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from services.kit.context import Platform
from services.kit.database.hot_path import Connections
from services.kit.metrics import registered
from services.kit.parts import Part
from services.traffic.ledger.metrics import LedgerMetrics
from services.traffic.ledger.service import Ledger
from services.traffic.ledger.store import LedgerStore
from services.traffic.ledger.tasks import register
from services.traffic.llm_proxy.authenticator import ProxyAuthenticator
from services.traffic.llm_proxy.endpoints import AsgiClient, LlmProxy
from services.traffic.llm_proxy.errors import unavailable
from services.traffic.llm_proxy.exchange import Exchange
from services.traffic.llm_proxy.limits import InFlight, OutputSizes, RateLimit
from services.traffic.llm_proxy.metrics import ProxyMetrics
from services.traffic.llm_proxy.upstream import Vendors

#: An answer may take this part of a reservation's life, so that nothing under way is taken for lost.
_LONGEST_ANSWER: Final = 0.8
_CONNECTIONS: Final = 10


def hot_connections(pool: int) -> int:
    """Connections of the hot path, beside a pool of that many."""
    return min(_CONNECTIONS, pool)


def create_part(platform: Platform, *, rate_limit: RateLimit | None = None, in_flight: InFlight | None = None) -> Part:
    """The LLM proxy as the factory takes it. The limits can be set otherwise, for measurements."""
    door = _Door()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        charged, metrics = LedgerMetrics(), ProxyMetrics()
        async with AsyncExitStack() as stack:
            stack.enter_context(registered(platform.metrics, charged, metrics))
            connections = await stack.enter_async_context(
                Connections(platform.database.url, size=hot_connections(platform.settings.database_pool))
            )
            ledger = await stack.enter_async_context(_ledger(platform, connections, charged))
            vendors = await stack.enter_async_context(_vendors(platform))
            exchange = Exchange(
                catalogue=platform.catalogue,
                vendors=vendors,
                ledger=ledger,
                metrics=metrics,
                in_flight=in_flight or InFlight(),
                output_sizes=OutputSizes(),
            )
            door.app = LlmProxy(
                database=platform.database,
                authenticator=ProxyAuthenticator(connections=connections, catalogue=platform.catalogue),
                rate_limit=rate_limit or RateLimit(),
                exchange=exchange,
                metrics=metrics,
            )
            yield
            door.app = None

    return Part(
        name="llm_proxy",
        mounts={"/llm": door},
        lifespan=lifespan,
        register_tasks=register(platform.database),
    )


class _Door:
    """Stands where the proxy is mounted; the proxy itself needs an event loop and so begins with the process."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await AsgiClient(send).refuse(unavailable())


def _vendors(platform: Platform) -> Vendors:
    settings = platform.settings
    return Vendors(
        upstreams=settings.llm_upstreams,
        redactor=platform.redactor,
        silence=settings.llm_upstream_timeout,
        total=settings.llm_reservation_ttl * _LONGEST_ANSWER,
    )


def _ledger(platform: Platform, connections: Connections, metrics: LedgerMetrics) -> Ledger:
    return Ledger(
        database=platform.database,
        store=LedgerStore(connections),
        metrics=metrics,
        price_version=platform.catalogue.version,
        reservation_ttl=platform.settings.llm_reservation_ttl,
    )
