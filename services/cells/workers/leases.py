"""Who may work on a cell: a lease with a fence that rises with every holder, and an end unless it is renewed.

Times are the database's, so that workers' clocks do not matter. A holder that was passed over (stopped, cut off) finds
its fence outdated at its next write and may neither start a process nor record a result.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError
from services.cells.engine.identity import ProcessIdentity
from services.cells.workers import repository
from services.tables.tenants import CellLease


class LeaseLostError(ClawstackError):
    """Another worker holds this cell by now; whatever this one did must not be written."""

    code = "lease_lost"

    def __init__(self, tenant_id: uuid.UUID, fence: int) -> None:
        super().__init__(f"The lease {fence} on cell {tenant_id} is lost.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """The right to work on one cell."""

    tenant_id: uuid.UUID
    holder: str
    fence: int
    previous: ProcessIdentity | None
    """What the holder before may have left running: end it before anything else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Somebody else is at work."""

    until: datetime
    """Their lease ends then, unless they renew it."""


async def acquire(session: AsyncSession, tenant_id: uuid.UUID, *, holder: str, ttl: timedelta) -> Grant | Held:
    """Take the lease unless another holds it."""
    await repository.ensure(session, tenant_id)
    row = await repository.locked(session, tenant_id)
    now = await repository.now(session)
    if row.holder is not None and row.expires_at is not None and row.expires_at > now:
        return Held(until=row.expires_at)
    row.fence += 1
    row.holder = holder
    row.expires_at = now + ttl
    return Grant(tenant_id=tenant_id, holder=holder, fence=row.fence, previous=_process_of(row))


async def renew(session: AsyncSession, grant: Grant, *, ttl: timedelta) -> None:
    """Prolong the lease; raises LeaseLostError."""
    if not await repository.prolong(session, grant.tenant_id, fence=grant.fence, holder=grant.holder, ttl=ttl):
        raise LeaseLostError(grant.tenant_id, grant.fence)


async def record_process(session: AsyncSession, grant: Grant, process: ProcessIdentity | None) -> None:
    """Note the process that is about to work on the cell (None: it is dead); raises LeaseLostError."""
    values = {
        "process_host": process.host if process else None,
        "process_group": process.group if process else None,
        "process_started": process.started if process else None,
    }
    if not await repository.write(session, grant.tenant_id, fence=grant.fence, holder=grant.holder, values=values):
        raise LeaseLostError(grant.tenant_id, grant.fence)


async def confirm(session: AsyncSession, grant: Grant) -> None:
    """Raises LeaseLostError unless the lease is held; nobody can take it before this transaction ends."""
    row = await repository.locked(session, grant.tenant_id)
    if row.fence != grant.fence or row.holder != grant.holder:
        raise LeaseLostError(grant.tenant_id, grant.fence)


async def release(session: AsyncSession, grant: Grant) -> None:
    """Give the lease back. Only call it once every process of this holder is dead. A lost lease is left alone."""
    await repository.free(session, grant.tenant_id, fence=grant.fence)


def _process_of(row: CellLease) -> ProcessIdentity | None:
    if row.process_host is None or row.process_group is None or row.process_started is None:
        return None
    return ProcessIdentity(host=row.process_host, group=row.process_group, started=row.process_started)
