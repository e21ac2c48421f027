"""SQL of the sweep."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, cast, column, exists, func, or_, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.vocabulary import OperationStatus
from services.tables.tenants import Cell, CellLease, Operation, Tenant

_JOBS = table("procrastinate_jobs", column("queueing_lock"), column("status"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A tenant that nobody works on right now."""

    tenant: Tenant
    cell: Cell | None


async def unattended(session: AsyncSession) -> list[Candidate]:
    """Tenants that are not deleted, with no job, no operation and no lease: whatever they lack, nobody is at it."""
    query = (
        select(Tenant, Cell)
        .outerjoin(Cell, Cell.tenant_id == Tenant.id)
        .where(Tenant.deleted_at.is_(None), ~_has_job(), ~_is_held(), ~_is_running())
        .order_by(Tenant.id)
    )
    return [Candidate(tenant=tenant, cell=cell) for tenant, cell in await session.execute(query)]


async def is_unattended(session: AsyncSession, tenant_id: uuid.UUID) -> bool:
    """Whether that still holds for one tenant."""
    query = select(Tenant.id).where(
        Tenant.id == tenant_id, Tenant.deleted_at.is_(None), ~_has_job(), ~_is_held(), ~_is_running()
    )
    return (await session.execute(query)).first() is not None


async def note_seen(session: AsyncSession, tenant_ids: Collection[uuid.UUID], *, at: datetime) -> None:
    """Their cells were seen to be what the rows say. Rows that somebody works on are left to them."""
    free = select(Tenant.id).where(Tenant.id.in_(tenant_ids)).with_for_update(skip_locked=True)
    # Whoever wrote in the meantime saw the cell later.
    later = func.greatest(Tenant.observed_at, at)
    await session.execute(update(Tenant).where(Tenant.id.in_(free)).values(observed_at=later))


async def known_slugs(session: AsyncSession) -> frozenset[str]:
    """Slugs of all tenants that have, or may have, something of a cell."""
    alive = select(Tenant.slug).where(or_(Tenant.deleted_at.is_(None), exists().where(Cell.tenant_id == Tenant.id)))
    return frozenset(await session.scalars(alive))


def _has_job() -> ColumnElement[bool]:
    key = func.concat("reconcile:", cast(Tenant.id, String))
    # The status is a PostgreSQL enumeration of Procrastinate's own.
    return exists().where(and_(_JOBS.c.queueing_lock == key, cast(_JOBS.c.status, String).in_(("todo", "doing"))))


def _is_held() -> ColumnElement[bool]:
    return exists().where(
        and_(CellLease.tenant_id == Tenant.id, CellLease.holder.is_not(None), CellLease.expires_at > func.now())
    )


def _is_running() -> ColumnElement[bool]:
    # A running row without a lease is a dead worker's: it is to be found here, so it does not count as attended.
    return exists().where(
        and_(
            Operation.tenant_id == Tenant.id,
            Operation.status == OperationStatus.RUNNING.value,
            exists().where(and_(CellLease.tenant_id == Tenant.id, CellLease.expires_at > func.now())),
        )
    )
