"""Brings one cell to what is wanted of it: lease, decision, one operation after another until nothing is left to do.

Can be killed at any instant. What is then left is a lease that ends by itself with the process it names, an operation
row that the next holder closes as interrupted, and Pulumi's own checkpoint, from which the next `up` or `destroy` goes on.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Final

from clawstack.logs import get_logger
from clawstack.vocabulary import OperationKind
from services.business.tenants import desired, operations
from services.business.tenants import repository as tenants
from services.cells.context import CellPlatform
from services.cells.engine import identity
from services.cells.provisioner import bookkeeping, repository
from services.cells.provisioner.decide import Pause, Rest, decide, needed_operation
from services.cells.provisioner.runner import OperationRunner
from services.cells.workers import leases
from services.cells.workers.lease_keeper import LeaseKeeper
from services.cells.workers.leases import Grant, LeaseLostError
from services.cells.workers.slots import Slots
from services.cells.workers.turns import Turns
from services.kit.database.base import utcnow
from services.tables.tenants import Operation

log = get_logger(__name__)

#: What takes a cell from where it runs, and what a cell can drag out itself: the backup of a running one is a process of
#: its own account, which it may stop (900 s). At most all slots but one do that at once.
_ENDINGS: Final = frozenset({OperationKind.DESTROY, OperationKind.MOVE, OperationKind.SUSPEND, OperationKind.BACKUP})
#: Added to the end of somebody else's lease before it is tried again.
_AFTER_LEASE: Final = timedelta(seconds=0.5)
#: A reconcile that goes round more often than this is going in circles.
_MOST_OPERATIONS: Final = 10


class Reconciler:
    """One per worker process."""

    def __init__(self, *, platform: CellPlatform, runner: OperationRunner, worker: str, concurrency: int) -> None:
        """`worker`: a name that no other process has; `concurrency`: operations at once."""
        self._platform = platform
        self._database = platform.database
        self._runner = runner
        self._worker = worker
        self._slots = Slots(concurrency)
        self._turns = Turns(slots=concurrency)

    async def reconcile(self, tenant_id: uuid.UUID) -> None:
        """Converge the tenant's cell, or note when to try again."""
        ending = await self._is_ending(tenant_id)
        if not self._slots.admits(ending=ending):
            await self._postpone(tenant_id, self._turns.next())
            return
        async with self._slots.one(ending=ending):
            await self._with_lease(tenant_id, ending=ending)

    async def _is_ending(self, tenant_id: uuid.UUID) -> bool:
        """Whether a cell is to be removed next, as far as can be seen before it is leased."""
        async with self._database.transaction() as session:
            tenant = await tenants.by_id(session, tenant_id)
            cell = await repository.cell_of(session, tenant_id)
            return tenant is not None and needed_operation(bookkeeping.situation_of(tenant, cell)) in _ENDINGS

    async def _with_lease(self, tenant_id: uuid.UUID, *, ending: bool) -> None:
        grant = await self._take(tenant_id)
        if grant is None:
            return
        async with LeaseKeeper(database=self._database, grant=grant, ttl=self._platform.settings.lease_ttl) as keeper:
            try:
                await self._end_previous(keeper)
                for _ in range(_MOST_OPERATIONS):
                    if not await self._step(keeper, ending=ending):
                        return
            except LeaseLostError as error:
                log.warning("reconcile_passed_over", tenant=str(tenant_id), reason=error.message)
                return
        log.error("reconcile_goes_in_circles", tenant=str(tenant_id))

    async def _take(self, tenant_id: uuid.UUID) -> Grant | None:
        """The lease; when another holds it, a look at the cell after its end is deferred instead."""
        settings = self._platform.settings
        async with self._database.transaction() as session:
            answer = await leases.acquire(session, tenant_id, holder=self._worker, ttl=settings.lease_ttl)
            if isinstance(answer, Grant):
                return answer
            await desired.request_reconcile(session, tenant_id, at=answer.until + _AFTER_LEASE)
        log.info("cell_is_held", tenant=str(tenant_id), until=answer.until.isoformat())
        return None

    async def _end_previous(self, keeper: LeaseKeeper) -> None:
        """End what the holder before left running, then close its operation; only then may anything start."""
        grant = keeper.grant
        if grant.previous is not None:
            killed = await asyncio.to_thread(identity.end, grant.previous)
            if killed:
                log.warning(
                    "leftovers_ended", tenant=str(grant.tenant_id), group=grant.previous.group, processes=killed
                )
        async with self._database.transaction() as session:
            await leases.record_process(session, grant, None)
            for operation in await operations.adopt(session, grant.tenant_id, fence=grant.fence):
                log.warning("operation_adopted", operation=str(operation.id), kind=operation.kind)

    async def _step(self, keeper: LeaseKeeper, *, ending: bool) -> bool:
        """Run the next operation; False when there is none now, or none that this slot is for."""
        begun = await self._begin(keeper, ending=ending)
        if begun is None:
            return False
        return await self._runner.run(keeper, begun)

    async def _begin(self, keeper: LeaseKeeper, *, ending: bool) -> Operation | None:
        grant = keeper.grant
        async with self._database.transaction() as session:
            await leases.confirm(session, grant)
            tenant = await tenants.locked(session, grant.tenant_id)
            if tenant is None:
                return None
            cell = await repository.cell_of(session, tenant.id)
            decision = decide(bookkeeping.situation_of(tenant, cell), now=utcnow())
            match decision:
                case OperationKind() if decision in _ENDINGS and not ending:
                    await desired.request_reconcile(session, tenant.id)  # wanted since: it comes again for its own slot
                case OperationKind():
                    return await bookkeeping.begin(session, tenant, decision, fence=grant.fence, worker=self._worker)
                case Rest.CONVERGED:
                    bookkeeping.settle(tenant)
                case Rest.GONE:
                    if tenant.deleted_at is None:
                        await self._runner.farewell(session, tenant)
                        await bookkeeping.close(session, tenant)
                case Pause.BACKING_OFF:
                    await desired.request_reconcile(session, tenant.id, at=tenant.retry_at)
                case Pause.BLOCKED:
                    pass
            return None

    async def _postpone(self, tenant_id: uuid.UUID, pause: timedelta) -> None:
        async with self._database.transaction() as session:
            await desired.request_reconcile(session, tenant_id, at=utcnow() + pause)
