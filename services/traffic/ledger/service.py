"""Money of a request: set aside before, settled exactly once after, whatever happens in between.

A settlement outlives the request that it belongs to: it runs as a task of its own, is tried again while the database
is away, and is finished before the process ends. What even that does not save (kill -9), the expiry charges.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import timedelta
from typing import Final, Self

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from clawstack.plans import ModelPrice, Plan
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.traffic.ledger import repository
from services.traffic.ledger.errors import AllowanceSetAsideError, AllowanceUsedUpError
from services.traffic.ledger.metrics import LedgerMetrics
from services.traffic.ledger.schemas import RequestOutcome, Reserved, Settlement, TokenCount, period_of
from services.traffic.ledger.store import LedgerStore

log = get_logger(__name__)

_RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0, 10.0, 30.0, 60.0, 120.0)
_FAREWELL_SECONDS: Final = 10.0


class Ledger:
    """Reserves and settles. One per process; as a context manager it finishes what is unsettled when it ends."""

    def __init__(
        self,
        *,
        database: Database,
        store: LedgerStore,
        metrics: LedgerMetrics,
        price_version: str,
        reservation_ttl: timedelta,
    ) -> None:
        self._database = database
        self._store = store
        self._metrics = metrics
        self._price_version = price_version
        self._ttl = reservation_ttl
        self._tasks: set[asyncio.Task[None]] = set()

    async def reserve(
        self,
        tenant_id: uuid.UUID,
        plan: Plan,
        *,
        model: str,
        price: ModelPrice,
        tokens: TokenCount,
        request_id: uuid.UUID,
    ) -> Reserved:
        """Set tokens and their cost aside, atomically against the plan's limits.

        Raises AllowanceUsedUpError or AllowanceSetAsideError when they do not fit, TemporaryError when the database is
        away. A caller that is cancelled meanwhile leaves nothing behind.
        """
        now = utcnow()
        reservation = Reserved(
            id=request_id,
            tenant_id=tenant_id,
            period=period_of(now),
            model=model,
            upstream=price.upstream,
            price_version=self._price_version,
            tokens=tokens,
            cost=cost_of(price, tokens),
            expires_at=now + self._ttl,
        )
        inserting = asyncio.create_task(self._insert(plan, reservation))
        try:
            fits = await asyncio.shield(inserting)
        except asyncio.CancelledError:
            self._start(self._release_after(inserting, reservation))
            raise
        if not fits:
            await self._refuse(plan, reservation)
        return reservation

    async def settle(self, settlement: Settlement) -> None:
        """End a reservation. Returns once it is written, or once the first try failed and others follow.

        Cancelling the caller does not stop it.
        """
        first_try = asyncio.Event()
        self._start(self._settle_until_done(settlement, first_try))
        await first_try.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish what is unsettled, within ten seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FAREWELL_SECONDS)
        for task in self._tasks:
            task.cancel()

    async def _insert(self, plan: Plan, reservation: Reserved) -> bool:
        return await self._store.reserve(
            reservation, tokens_limit=plan.monthly_tokens, cost_limit=plan.budget_micro_usd()
        )

    async def _release_after(self, inserting: asyncio.Task[bool], reservation: Reserved) -> None:
        await asyncio.wait([inserting])
        if inserting.exception() is not None or inserting.result():
            released = Settlement(reservation=reservation, outcome=RequestOutcome.RELEASED, tokens=TokenCount(), cost=0)
            await self._settle_until_done(released, asyncio.Event())

    async def _refuse(self, plan: Plan, reservation: Reserved) -> None:
        async with self._database.transaction() as session:
            used = await repository.period_of_tenant(session, reservation.tenant_id, reservation.period)
        tokens, cost = (used.tokens_used, used.cost_used) if used else (0, 0)
        fits_alone = (
            tokens + reservation.tokens.total() <= plan.monthly_tokens
            and cost + reservation.cost <= plan.budget_micro_usd()
        )
        raise AllowanceSetAsideError(reservation.period) if fits_alone else AllowanceUsedUpError(reservation.period)

    async def _settle_until_done(self, settlement: Settlement, first_try: asyncio.Event) -> None:
        try:
            for pause in (*_RETRY_SECONDS, None):
                if await self._settled(settlement):
                    return
                first_try.set()
                self._metrics.unsettled.inc()
                if pause is not None:
                    await asyncio.sleep(pause)
            log.error("settlement_left_to_expiry", request=str(settlement.reservation.id))
        finally:
            first_try.set()

    async def _settled(self, settlement: Settlement) -> bool:
        try:
            written = await self._store.settle(settlement)
        except TemporaryError:
            return False
        if written:
            self._metrics.settled(settlement)
        else:
            log.warning("already_settled", request=str(settlement.reservation.id), outcome=settlement.outcome.value)
        return True

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("settlement_failed", error=type(error).__name__, exc_info=error)


def cost_of(price: ModelPrice, tokens: TokenCount) -> int:
    """What these tokens cost, in millionths of a US dollar."""
    return price.cost_micro_usd(
        input_tokens=tokens.input, cached_input_tokens=tokens.cached, output_tokens=tokens.output
    )
