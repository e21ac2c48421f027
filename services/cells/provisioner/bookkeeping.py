"""Writes down what is about to happen to a tenant and what happened: operation, state, notifications, in one transaction.

Every function here runs under `leases.confirm` of the caller's transaction, so a worker that was passed over writes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError, NeedsAttentionError, RequestError, TemporaryError
from clawstack.redaction import Redactor
from clawstack.vocabulary import Desired, EventKind, Observed, OperationKind, OperationStatus, TenantState
from services.business.notifications.outbox import owe
from services.business.tenants import desired, operations
from services.business.tenants.operations import EventRow
from services.cells.engine.run import RunOutcome
from services.cells.provisioner import repository
from services.cells.provisioner.decide import Situation
from services.cells.provisioner.patience import as_it_counts
from services.kit.backoff import Backoff
from services.kit.database.base import utcnow
from services.tables.states import AT_REST, DURING, may_follow
from services.tables.tenants import Cell, Operation, Tenant
from tenants.spec import CellSpec

#: Code of a state that a look at the cell gave the reason for.
CELL_UNHEALTHY: Final = "cell_unhealthy"
#: Between tries of a failed operation; `retry_after` of the failure counts where it is longer.
BACKOFF: Final = Backoff(first=2.0, longest=300.0)
#: After this many temporary failures in a row people are told; the tries go on.
_TELL_AFTER: Final = 6
#: Kept in `Tenant.observed` beside the stack's outputs: under what the cell was last brought about.
_APPLIED: Final = ("restart_nonce", "substrate", "plan", "skip_backup")


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What an update came to."""

    outcome: RunOutcome
    spec: CellSpec
    objects: Mapping[str, str]
    """Fingerprints of what the cell consists of, where the substrate has such."""


def situation_of(tenant: Tenant, cell: Cell | None) -> Situation:
    """The rows as the decision sees them."""
    return Situation(
        desired=Desired(tenant.desired_state),
        observed=Observed(tenant.observed_state),
        generation=tenant.generation,
        observed_generation=tenant.observed_generation,
        has_cell=cell is not None,
        restart_wanted=tenant.restart_nonce != tenant.observed.get("restart_nonce", ""),
        substrate_changed=tenant.substrate != tenant.runs_on,
        backup_wanted=tenant.backup_nonce != tenant.observed.get("backup_nonce", ""),
        blocked_generation=tenant.blocked_generation,
        retry_at=tenant.retry_at,
    )


async def begin(session: AsyncSession, tenant: Tenant, kind: OperationKind, *, fence: int, worker: str) -> Operation:
    """Record that an operation starts."""
    repair = tenant.observed_state == Observed.BROKEN and tenant.state_code == CELL_UNHEALTHY
    reason = tenant.state_reason if repair else tenant.desired_reason
    show(tenant, DURING[kind])
    return await operations.begin(session, tenant, kind, reason=reason, fence=fence, worker=worker)


async def succeed(
    session: AsyncSession, tenant: Tenant, operation: Operation, built: Built, *, event: EventRow
) -> None:
    """Record an `up` that did what it should."""
    outcome, spec = built.outcome, built.spec
    suspended = spec.desired is Desired.SUSPENDED
    tenant.observed_state = (Observed.SUSPENDED if suspended else Observed.RUNNING).value
    tenant.observed_generation = operation.generation
    tenant.observed = {
        **outcome.outputs,
        **_applied(spec),
        "backup_nonce": tenant.observed.get("backup_nonce", ""),
        "objects": dict(built.objects),
        "disk": tenant.observed.get("disk"),
    }
    tenant.restore_from = None
    tenant.observed_at = utcnow()
    _forgive(tenant)
    show(tenant, TenantState.SUSPENDED if suspended else TenantState.HEALTHY)
    if not suspended and tenant.healthy_at is None:
        tenant.healthy_at = utcnow()
        endpoint = outcome.outputs.get("endpoint")
        await notify(session, tenant, kind="healthy", audience="customer", payload={"endpoint": endpoint})
    cell = await repository.cell_of(session, tenant.id)
    if cell is not None and cell.stack_created_at is None:
        cell.stack_created_at = utcnow()
    await _finish(session, operation, OperationStatus.SUCCEEDED, event, summary={"changes": dict(outcome.changes)})


async def succeed_backup(session: AsyncSession, tenant: Tenant, operation: Operation, *, event: EventRow) -> None:
    """Record a backup that somebody asked for."""
    tenant.observed = {**tenant.observed, "backup_nonce": tenant.backup_nonce}
    _forgive(tenant)
    show(tenant, AT_REST[Desired(tenant.desired_state)])
    await _finish(session, operation, OperationStatus.SUCCEEDED, event)


async def record_departure(session: AsyncSession, tenant: Tenant, *, restore_from: str | None) -> None:
    """The cell left its old substrate. From here on it is one that stands still elsewhere and is yet to be filled."""
    tenant.observed = {**tenant.observed, "substrate": tenant.substrate}
    tenant.observed_state = Observed.SUSPENDED.value
    tenant.restore_from = restore_from
    cell = await repository.cell_of(session, tenant.id)
    if cell is not None:
        cell.stack_created_at = None


async def succeed_destroy(
    session: AsyncSession, tenant: Tenant, operation: Operation, outcome: RunOutcome, *, event: EventRow
) -> None:
    """Record a stack that is gone."""
    await repository.remove(session, tenant.id)
    await _finish(session, operation, OperationStatus.SUCCEEDED, event, summary={"changes": dict(outcome.changes)})
    await close(session, tenant)


async def close(session: AsyncSession, tenant: Tenant) -> None:
    """The tenant is deleted: nothing of it runs or is kept but its row, its ledger and its backups."""
    tenant.observed_state = Observed.ABSENT.value
    tenant.observed_generation = tenant.generation
    tenant.observed = {}
    tenant.answers = {}
    tenant.observed_at = utcnow()
    tenant.deleted_at = tenant.deleted_at or utcnow()
    _forgive(tenant)
    show(tenant, TenantState.DELETED)
    await notify(session, tenant, kind="deleted", audience="customer", payload={})


def settle(tenant: Tenant) -> None:
    """Nothing is left to do: show what the tenant is at rest."""
    tenant.observed_generation = tenant.generation
    if tenant.state != AT_REST[Desired(tenant.desired_state)]:
        _forgive(tenant)
        show(tenant, AT_REST[Desired(tenant.desired_state)])


async def fail(
    session: AsyncSession,
    tenant: Tenant,
    operation: Operation,
    error: ClawstackError,
    *,
    event: EventRow,
    redactor: Redactor,
) -> None:
    """Record a failure; one that may pass is tried again after a growing delay, any other waits for somebody to act."""
    error = as_it_counts(error, failures=tenant.failures + 1)
    message, remedy = redactor.text(error.message), error.remedy and redactor.text(error.remedy)
    operation.error_code, operation.error_message, operation.error_remedy = error.code, message, remedy
    await _finish(session, operation, OperationStatus.FAILED, event)
    tenant.state_code = error.code
    tenant.state_reason = f"{message} {remedy}" if remedy else message
    if tenant.generation != operation.generation:
        await desired.request_reconcile(session, tenant.id)  # something else is wanted by now: that is tried at once
        return
    tenant.failures += 1
    if isinstance(error, TemporaryError):
        await _try_again(session, tenant, error)
    else:
        attention = isinstance(error, NeedsAttentionError | RequestError)
        tenant.blocked_generation = operation.generation
        await _raise_hand(session, tenant, TenantState.NEEDS_ATTENTION if attention else TenantState.FAILED)


async def cancelled(session: AsyncSession, tenant: Tenant, operation: Operation, *, event: EventRow) -> None:
    """Record an operation that somebody stopped. It is not started again unless something else is wanted."""
    operation.error_code = "operation_cancelled"
    operation.error_message = "The operation was cancelled."
    operation.error_remedy = "Restart the tenant or change what is wanted to go on."
    await _finish(session, operation, OperationStatus.CANCELLED, event)
    if tenant.generation == operation.generation:
        tenant.blocked_generation = operation.generation
        tenant.state_code, tenant.state_reason = operation.error_code, operation.error_message
        show(tenant, TenantState.NEEDS_ATTENTION, keep_reason=True)


async def interrupted(session: AsyncSession, tenant: Tenant, operation: Operation, *, event: EventRow) -> None:
    """Record that this worker stops; another one goes on at once."""
    operation.error_code = "operation_interrupted"
    operation.error_message = "The worker was stopped before the operation was done."
    operation.error_remedy = "Nothing to do: another attempt goes on from where it was."
    await _finish(session, operation, OperationStatus.INTERRUPTED, event)
    await desired.request_reconcile(session, tenant.id)


async def unblock(session: AsyncSession, tenant: Tenant) -> None:
    """The gateway of a tenant that was given up is seen running: try again at once, and tell who was called."""
    payload = {"code": tenant.state_code, "reason": tenant.state_reason}
    once_per = f"{tenant.generation}:{tenant.state_code}"
    await notify(session, tenant, kind="well_again", audience="operator", payload=payload, once_per=once_per)
    _forgive(tenant)
    await desired.request_reconcile(session, tenant.id)


def show(tenant: Tenant, state: TenantState, *, keep_reason: bool = False) -> None:
    """Let people see `state`. A step that cannot be is a defect, and is refused here rather than shown."""
    if not may_follow(TenantState(tenant.state), state):
        raise AssertionError(f"tenant {tenant.slug} cannot become {state.value} from {tenant.state}")
    tenant.state = state.value
    tenant.updated_at = utcnow()
    if not keep_reason:
        tenant.state_code = tenant.state_reason = None


async def notify(
    session: AsyncSession, tenant: Tenant, *, kind: str, audience: str, payload: Mapping[str, Any], once_per: str = ""
) -> None:
    """Owe somebody a message; the same one (`kind` and `once_per`) is owed once per tenant."""
    key = ":".join(part for part in (kind, str(tenant.id), once_per) if part)
    await owe(
        session, key=key, kind=kind, audience=audience, tenant_id=tenant.id, payload={"tenant": tenant.slug, **payload}
    )


async def _try_again(session: AsyncSession, tenant: Tenant, error: TemporaryError) -> None:
    wait = BACKOFF.seconds(tenant.failures, at_least=error.retry_after)
    tenant.retry_at = utcnow() + timedelta(seconds=wait)
    tenant.updated_at = utcnow()
    await desired.request_reconcile(session, tenant.id, at=tenant.retry_at)
    if tenant.failures >= _TELL_AFTER:
        await _raise_hand(session, tenant, TenantState.NEEDS_ATTENTION)


async def _raise_hand(session: AsyncSession, tenant: Tenant, state: TenantState) -> None:
    show(tenant, state, keep_reason=True)
    payload = {"code": tenant.state_code, "reason": tenant.state_reason, "state": state.value}
    once_per = f"{tenant.generation}:{tenant.state_code}"
    await notify(session, tenant, kind="needs_attention", audience="operator", payload=payload, once_per=once_per)


async def _finish(
    session: AsyncSession,
    operation: Operation,
    status: OperationStatus,
    event: EventRow,
    *,
    summary: Mapping[str, Any] | None = None,
) -> None:
    await operations.append_events(session, operation.id, [event])
    operation.status = status.value
    operation.finished_at = utcnow()
    if summary is not None:
        operation.summary = dict(summary)


def _forgive(tenant: Tenant) -> None:
    tenant.failures = 0
    tenant.retry_at = None
    tenant.blocked_generation = None


def _applied(spec: CellSpec) -> dict[str, Any]:
    values = spec.model_dump(mode="json", include=set(_APPLIED))
    return {name: values[name] for name in _APPLIED}


def finished_event(sequence: int, message: str, *, status: OperationStatus, at: datetime) -> EventRow:
    """The last event of an operation."""
    return EventRow(
        sequence=sequence, kind=EventKind.FINISHED.value, message=message, data={"status": status.value}, created_at=at
    )
