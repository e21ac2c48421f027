"""Runs one operation from its recorded start to its recorded end: events, orders to stop, and what the end means."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.background import background
from clawstack.errors import ClawstackError, PermanentError, TemporaryError
from clawstack.logs import get_logger
from clawstack.vocabulary import EventKind, OperationKind, OperationStatus
from services.business.tenants import operations
from services.business.tenants import repository as tenants
from services.business.tenants.operations import EventRow
from services.cells.context import CellPlatform
from services.cells.engine.control import OperationStoppedError, RunControl, StopReason
from services.cells.engine.narration import NarratedStep
from services.cells.engine.run import RunOutcome
from services.cells.provisioner import bookkeeping, cells
from services.cells.provisioner.assembly import cell_secrets
from services.cells.provisioner.bookkeeping import Built
from services.cells.provisioner.borders import Neighbours
from services.cells.provisioner.cell_work import CellWork, Shift
from services.cells.provisioner.patience import PORT_IN_USE
from services.cells.provisioner.recorder import EventRecorder
from services.cells.workers import leases
from services.cells.workers.lease_keeper import LeaseKeeper
from services.cells.workers.leases import LeaseLostError
from services.cells.workers.metrics import OperationMetrics
from services.kit.database.base import utcnow
from services.tables.tenants import Operation, Tenant

log = get_logger(__name__)

_CANCEL_POLL: Final = 0.5
_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_TIMEOUT_RETRY: Final = 30.0

#: What people read at the start and at the good end.
SENTENCES: Final = {
    OperationKind.PROVISION: ("Building the assistant.", "The assistant is built."),
    OperationKind.UPDATE: ("Updating the assistant.", "The assistant is up to date."),
    OperationKind.SUSPEND: ("Suspending the assistant; its memory is kept.", "The assistant is suspended."),
    OperationKind.RESUME: ("Waking the assistant.", "The assistant is awake."),
    OperationKind.RESTART: ("Restarting the assistant.", "The assistant is restarted."),
    OperationKind.MOVE: ("Moving the assistant.", "The assistant has moved."),
    OperationKind.BACKUP: ("Backing the assistant up.", "The backup is made."),
    OperationKind.DESTROY: ("Removing the assistant.", "The assistant is removed."),
}

Record = Callable[[AsyncSession, Tenant, Operation, EventRow], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an operation ended, and what that means for the rows."""

    status: OperationStatus
    sentence: str
    record: Record


class OperationRunner:
    """Everything between "this operation starts" and "this operation ended" for one cell."""

    def __init__(
        self, *, platform: CellPlatform, work: CellWork, neighbours: Neighbours, metrics: OperationMetrics
    ) -> None:
        self._platform = platform
        self._database = platform.database
        self._work = work
        self._neighbours = neighbours
        self._metrics = metrics

    async def run(self, keeper: LeaseKeeper, operation: Operation) -> bool:
        """Run a recorded operation to its recorded end; True when it succeeded and the next may follow.

        Raises LeaseLostError when another worker took over: then nothing was recorded.
        """
        settings = self._platform.settings
        control = RunControl(
            budget=settings.operation_timeout.total_seconds(), grace=settings.operation_grace.total_seconds()
        )
        stopped_from_outside = False
        with self._metrics.timed(operation.kind) as outcome:
            async with EventRecorder(
                database=self._database, redactor=self._platform.redactor, operation_id=operation.id
            ) as recorder:
                shift = Shift(keeper=keeper, control=control, recorder=recorder, attempt=operation.attempt)
                with keeper.stopping(control):
                    async with self._cancellable(operation.id, control):
                        try:
                            ending = await self._ending(shift, operation)
                        except asyncio.CancelledError:
                            stopped_from_outside = True
                            ending = _interrupted()
            await self._record(keeper, operation.id, ending, sequence=recorder.last_sequence + 1)
            outcome.status = ending.status.value
        if stopped_from_outside:
            raise asyncio.CancelledError
        return ending.status is OperationStatus.SUCCEEDED

    async def farewell(self, session: AsyncSession, tenant: Tenant) -> None:
        """Take from a tenant whose cell is gone whatever opened doors for it; its backups stay, and their key."""
        await self._neighbours.revoke_proxy_tokens(session, tenant.id)
        await self._neighbours.revoke_channel_tokens(session, tenant.id)
        await self._neighbours.unbind_chats(session, tenant.id)
        await self._neighbours.forget_answers(session, tenant.id)
        await self._register_backups(session, tenant, OperationKind.DESTROY)
        await self._platform.vault.erase(session, tenant.id, *cell_secrets())

    async def _ending(self, shift: Shift, operation: Operation) -> Ending:
        kind = OperationKind(operation.kind)
        started = NarratedStep(kind=EventKind.STARTED, message=SENTENCES[kind][0], data={"attempt": operation.attempt})
        shift.recorder.tell(started)
        try:
            match kind:
                case OperationKind.DESTROY:
                    return self._destroyed(await self._work.destroy(shift))
                case OperationKind.BACKUP:
                    await self._work.back_up(shift)
                    return self._backed_up()
                case OperationKind.MOVE:
                    await self._work.leave(shift)
                    await self._depart(shift)
                case _:
                    pass
            return self._built(kind, await self._work.build(shift))
        except LeaseLostError:
            raise
        except OperationStoppedError as error:
            return self._stopped(error, shift)
        except ClawstackError as error:
            return self._failed(error)
        except Exception as error:
            log.exception("operation_defect", operation=str(operation.id))
            return self._failed(
                PermanentError(f"A defect in the platform: {type(error).__name__}.", code="internal_error")
            )

    def _destroyed(self, outcome: RunOutcome) -> Ending:
        async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
            await self.farewell(session, tenant)
            await bookkeeping.succeed_destroy(session, tenant, operation, outcome, event=event)

        return Ending(status=OperationStatus.SUCCEEDED, sentence=SENTENCES[OperationKind.DESTROY][1], record=record)

    def _built(self, kind: OperationKind, built: Built) -> Ending:
        async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
            await self._register_backups(session, tenant, kind)  # stopping a gateway may have left one
            await bookkeeping.succeed(session, tenant, operation, built, event=event)

        return Ending(status=OperationStatus.SUCCEEDED, sentence=SENTENCES[kind][1], record=record)

    def _backed_up(self) -> Ending:
        async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
            await self._register_backups(session, tenant, OperationKind.BACKUP)
            await bookkeeping.succeed_backup(session, tenant, operation, event=event)

        sentence = SENTENCES[OperationKind.BACKUP][1]
        return Ending(status=OperationStatus.SUCCEEDED, sentence=sentence, record=record)

    async def _depart(self, shift: Shift) -> None:
        """Note that the old place is empty and what the new one is to be filled with: a repeated move goes on here."""
        async with self._database.transaction() as session:
            await leases.confirm(session, shift.keeper.grant)
            tenant = await tenants.locked(session, shift.keeper.grant.tenant_id)
            if tenant is None:
                raise LeaseLostError(shift.keeper.grant.tenant_id, shift.keeper.grant.fence)
            await self._register_backups(session, tenant, OperationKind.MOVE)
            location = await self._neighbours.latest_backup(session, tenant.id)
            await bookkeeping.record_departure(session, tenant, restore_from=location)

    async def _register_backups(self, session: AsyncSession, tenant: Tenant, kind: OperationKind) -> None:
        folder = self._platform.settings.data_dir / "backups"
        await self._neighbours.register_backups(session, tenant, folder, reason=kind.value)

    def _stopped(self, error: OperationStoppedError, shift: Shift) -> Ending:
        match error.reason:
            case StopReason.LEASE_LOST:
                raise LeaseLostError(shift.keeper.grant.tenant_id, shift.keeper.grant.fence)
            case StopReason.CANCELLED:
                return _cancelled()
            case StopReason.SHUTDOWN:
                return _interrupted()
            case StopReason.BUDGET:
                return self._failed(
                    TemporaryError(
                        f"The operation was not done after {shift.control.budget:.0f} seconds and was stopped.",
                        code="operation_timeout",
                        retry_after=_TIMEOUT_RETRY,
                        remedy="It is tried again; if it never ends, look at its events for what it waits for.",
                    )
                )

    def _failed(self, error: ClawstackError) -> Ending:
        async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
            if error.code == PORT_IN_USE:
                await cells.move_port(session, tenant, self._platform.settings)
            await bookkeeping.fail(session, tenant, operation, error, event=event, redactor=self._platform.redactor)

        sentence = self._platform.redactor.text(error.sentence())
        return Ending(status=OperationStatus.FAILED, sentence=sentence, record=record)

    async def _record(self, keeper: LeaseKeeper, operation_id: uuid.UUID, ending: Ending, *, sequence: int) -> None:
        """Write the end down, however long the database is away, unless the lease is lost."""
        event = bookkeeping.finished_event(sequence, ending.sentence, status=ending.status, at=utcnow())
        pause = _PAUSE
        while True:
            try:
                async with self._database.transaction() as session:
                    await leases.confirm(session, keeper.grant)
                    tenant = await tenants.locked(session, keeper.grant.tenant_id)
                    operation = await operations.by_id(session, operation_id)
                    if tenant is None or operation is None:
                        raise LeaseLostError(keeper.grant.tenant_id, keeper.grant.fence)
                    await ending.record(session, tenant, operation, event)
            except TemporaryError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    @asynccontextmanager
    async def _cancellable(self, operation_id: uuid.UUID, control: RunControl) -> AsyncIterator[None]:
        """Stop `control` once somebody asks for the operation's end."""
        async with background(self._watch(operation_id, control), name=f"cancel-{operation_id}"):
            yield

    async def _watch(self, operation_id: uuid.UUID, control: RunControl) -> None:
        while True:
            await asyncio.sleep(_CANCEL_POLL)
            with suppress(TemporaryError):
                async with self._database.transaction() as session:
                    asked = await operations.wants_cancel(session, operation_id)
                if asked:
                    control.stop(StopReason.CANCELLED)
                    return


def _cancelled() -> Ending:
    async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
        await bookkeeping.cancelled(session, tenant, operation, event=event)

    return Ending(status=OperationStatus.CANCELLED, sentence="The operation was cancelled.", record=record)


def _interrupted() -> Ending:
    async def record(session: AsyncSession, tenant: Tenant, operation: Operation, event: EventRow) -> None:
        await bookkeeping.interrupted(session, tenant, operation, event=event)

    return Ending(
        status=OperationStatus.INTERRUPTED, sentence="The worker was stopped; another one goes on.", record=record
    )
