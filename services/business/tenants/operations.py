"""SQL of operations and their events."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.vocabulary import OperationKind, OperationStatus
from services.kit.database.base import utcnow
from services.tables.tenants import Operation, OperationEvent, Tenant

_UNFINISHED = (OperationStatus.FAILED, OperationStatus.INTERRUPTED, OperationStatus.CANCELLED)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """An event ready to be stored: numbered and redacted."""

    sequence: int
    kind: str
    message: str
    data: dict[str, Any]
    created_at: datetime


async def begin(
    session: AsyncSession, tenant: Tenant, kind: OperationKind, *, reason: str | None, fence: int, worker: str
) -> Operation:
    """Record an operation that is about to run; `attempt` counts those that ended short for the same generation."""
    earlier = select(func.count()).where(
        Operation.tenant_id == tenant.id,
        Operation.generation == tenant.generation,
        Operation.kind == kind,
        Operation.status.in_(_UNFINISHED),
    )
    operation = Operation(
        tenant_id=tenant.id,
        kind=kind.value,
        status=OperationStatus.RUNNING.value,
        reason=reason,
        generation=tenant.generation,
        attempt=1 + (await session.execute(earlier)).scalar_one(),
        fence=fence,
        worker=worker,
        summary={},
    )
    session.add(operation)
    await session.flush()
    return operation


async def adopt(session: AsyncSession, tenant_id: uuid.UUID, *, fence: int) -> list[Operation]:
    """Close what a dead holder left running: `interrupted`, to be taken up by another attempt."""
    statement = (
        update(Operation)
        .where(
            Operation.tenant_id == tenant_id,
            Operation.status == OperationStatus.RUNNING.value,
            Operation.fence < fence,
        )
        .values(
            status=OperationStatus.INTERRUPTED.value,
            finished_at=utcnow(),
            error_code="operation_interrupted",
            error_message="The worker of this operation ended before it did.",
            error_remedy="Nothing to do: another attempt goes on from where it was.",
        )
        .returning(Operation)
    )
    return list(await session.scalars(statement))


async def by_id(session: AsyncSession, operation_id: uuid.UUID) -> Operation | None:
    """One operation."""
    return await session.get(Operation, operation_id, populate_existing=True)


async def with_tenant(session: AsyncSession, operation_id: uuid.UUID) -> tuple[Operation, Tenant] | None:
    """One operation and the tenant that it was run for."""
    query = select(Operation, Tenant).join(Tenant, Tenant.id == Operation.tenant_id).where(Operation.id == operation_id)
    row = (await session.execute(query.execution_options(populate_existing=True))).one_or_none()
    return None if row is None else (row[0], row[1])


async def wants_cancel(session: AsyncSession, operation_id: uuid.UUID) -> bool:
    """True once somebody asked for this operation to stop."""
    query = select(Operation.cancel_requested_at).where(Operation.id == operation_id)
    return (await session.execute(query)).scalar_one_or_none() is not None


async def request_cancel(session: AsyncSession, operation_id: uuid.UUID) -> bool:
    """Ask a running operation to stop; False when it is over already."""
    statement = (
        update(Operation)
        .where(Operation.id == operation_id, Operation.status == OperationStatus.RUNNING.value)
        .values(cancel_requested_at=func.coalesce(Operation.cancel_requested_at, utcnow()))
        .returning(Operation.id)
    )
    return (await session.execute(statement)).first() is not None


async def page(
    session: AsyncSession,
    *,
    tenant_id: uuid.UUID | None = None,
    customer_id: uuid.UUID | None = None,
    status: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[tuple[Operation, str]], int]:
    """Operations with their tenant's slug, newest first, and how many there are in all."""
    query = select(Operation, Tenant.slug).join(Tenant, Tenant.id == Operation.tenant_id)
    if tenant_id is not None:
        query = query.where(Operation.tenant_id == tenant_id)
    if customer_id is not None:
        query = query.where(Tenant.customer_id == customer_id)
    if status is not None:
        query = query.where(Operation.status == status)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    rows = await session.execute(query.order_by(Operation.created_at.desc(), Operation.id).limit(limit).offset(offset))
    return [(row[0], row[1]) for row in rows], total


async def append_events(session: AsyncSession, operation_id: uuid.UUID, rows: Sequence[EventRow]) -> None:
    """Store events of a running operation; a row that is there already (an earlier try's answer got lost) stays.

    An operation that another worker has closed takes no more events: whoever still brings some was passed over.
    """
    status = select(Operation.status).where(Operation.id == operation_id).with_for_update(read=True)
    if (await session.execute(status)).scalar_one_or_none() != OperationStatus.RUNNING:
        return
    values = [
        {
            "operation_id": operation_id,
            "sequence": row.sequence,
            "kind": row.kind,
            "message": row.message,
            "data": row.data,
            "created_at": row.created_at,
        }
        for row in rows
    ]
    await session.execute(
        insert(OperationEvent).values(values).on_conflict_do_nothing(index_elements=["operation_id", "sequence"])
    )


async def events_after(
    session: AsyncSession, operation_id: uuid.UUID, *, sequence: int, limit: int | None = 200
) -> list[OperationEvent]:
    """Events that follow number `sequence`, in order."""
    query = (
        select(OperationEvent)
        .where(OperationEvent.operation_id == operation_id, OperationEvent.sequence > sequence)
        .order_by(OperationEvent.sequence)
        .limit(limit)
    )
    return list(await session.scalars(query))


async def marks(session: AsyncSession, subjects: Sequence[uuid.UUID]) -> dict[uuid.UUID, Hashable]:
    """Something about each of these operations and tenants that is another one when there are new events.

    A tenant's mark tells of its operations under way and of those that ended within the last minute.
    """
    last = select(func.max(OperationEvent.sequence)).where(OperationEvent.operation_id == Operation.id)
    lately = or_(Operation.finished_at.is_(None), Operation.finished_at > func.now() - timedelta(minutes=1))
    query = select(Operation.id, Operation.tenant_id, Operation.status, last.scalar_subquery()).where(
        or_(Operation.id.in_(subjects), and_(Operation.tenant_id.in_(subjects), lately))
    )
    found: dict[uuid.UUID, set[Hashable]] = defaultdict(set)
    for operation_id, tenant_id, status, sequence in await session.execute(query):
        found[operation_id].add((status, sequence))
        found[tenant_id].add((operation_id, status, sequence))
    return {subject: frozenset(found[subject]) for subject in subjects}


async def last_row(session: AsyncSession, tenant_id: uuid.UUID) -> int:
    """Row of the latest event of all of a tenant's operations, 0 before the first: what `tenant_events_after` begins at."""
    query = select(func.max(OperationEvent.id)).join(Operation, Operation.id == OperationEvent.operation_id)
    return (await session.execute(query.where(Operation.tenant_id == tenant_id))).scalar_one() or 0


async def tenant_events(session: AsyncSession, tenant_id: uuid.UUID, *, limit: int = 100) -> list[OperationEvent]:
    """The latest events of all of a tenant's operations, oldest first."""
    query = (
        select(OperationEvent)
        .join(Operation, Operation.id == OperationEvent.operation_id)
        .where(Operation.tenant_id == tenant_id)
        .order_by(OperationEvent.id.desc())
        .limit(limit)
    )
    return list(await session.scalars(query))[::-1]


async def tenant_events_after(
    session: AsyncSession, tenant_id: uuid.UUID, *, row: int, limit: int | None = 200
) -> list[OperationEvent]:
    """Events of all of a tenant's operations that were stored after `row`, in order."""
    query = (
        select(OperationEvent)
        .join(Operation, Operation.id == OperationEvent.operation_id)
        .where(Operation.tenant_id == tenant_id, OperationEvent.id > row)
        .order_by(OperationEvent.id)
        .limit(limit)
    )
    return list(await session.scalars(query))
