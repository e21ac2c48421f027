"""What commands show, read as plain rows. Imported late by them: `--help` and wrong arguments need no SQLAlchemy."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError, NotFoundError
from services.business.backups import repository as backup_rows
from services.business.tenants import operations as operation_rows
from services.business.tenants import repository
from services.cells.context import CellPlatform
from services.cells.provisioner import repository as cells
from services.tables.tenants import Tenant

_TENANT = (
    "slug", "state", "state_code", "state_reason", "plan", "bundle", "bundle_version", "substrate", "desired_state",
    "desired_reason", "generation", "observed_generation", "observed_state", "failures", "retry_at", "created_at",
    "healthy_at", "deleted_at",
)  # fmt: skip
_OPERATION = (
    "id", "kind", "status", "attempt", "generation", "reason", "error_code", "error_message", "error_remedy",
    "summary", "created_at", "finished_at",
)  # fmt: skip
_BACKUP = ("id", "location", "sha256", "size", "reason", "openclaw_version", "created_at", "verified_at")
_LATEST = 5
_BEFORE_ALL = -1


async def tenant_by_slug(session: AsyncSession, slug: str) -> Tenant:
    """The tenant; raises NotFoundError with the command that lists them."""
    tenant = await repository.by_slug(session, slug)
    if tenant is None:
        remedy = "`clawstack tenants list --all` shows them."
        raise NotFoundError(f"There is no tenant {slug[:60]!r}.", remedy=remedy)
    return tenant


async def tenants(session: AsyncSession, *, state: str | None, deleted_too: bool) -> list[dict[str, Any]]:
    """Tenants, newest first."""
    rows, _ = await repository.page(session, state=state, include_deleted=deleted_too, limit=None)
    return [_fields(tenant, _TENANT) for tenant in rows]


async def tenant(session: AsyncSession, slug: str) -> dict[str, Any]:
    """One tenant in short; raises NotFoundError."""
    return _fields(await tenant_by_slug(session, slug), _TENANT)


async def tenant_detail(session: AsyncSession, slug: str) -> dict[str, Any]:
    """One tenant with its cell and its latest operations; raises NotFoundError."""
    row = await tenant_by_slug(session, slug)
    cell = await cells.cell_of(session, row.id)
    latest, _ = await operation_rows.page(session, tenant_id=row.id, limit=_LATEST)
    return {
        **_fields(row, _TENANT),
        "observed": row.observed,
        "port": None if cell is None else cell.port,
        "operations": [_fields(each, _OPERATION) for each, _ in latest],
    }


async def tenant_report(platform: CellPlatform, slug: str) -> dict[str, Any]:
    """As `tenant_detail`, with a look at the cell itself and the last backup; raises NotFoundError."""
    async with platform.database.transaction() as session:
        detail = await tenant_detail(session, slug)
        row = await tenant_by_slug(session, slug)
        detail["last_backup"] = await backup_rows.latest_verified(session, row.id)
    live: dict[str, Any] = {"runs_on": None, "gateway": None, "restarts": None, "memory_mb": None, "drift": None}
    if detail["port"] is not None:
        live = await _look(platform, detail)
    return {**detail, **live, "operations": detail["operations"]}


async def _look(platform: CellPlatform, detail: dict[str, Any]) -> dict[str, Any]:
    substrate = detail["observed"].get("substrate", detail["substrate"])
    try:
        look = await platform.drivers.of(substrate).look(detail["slug"], port=detail["port"])
    except ClawstackError as error:  # what the rows say is worth showing all the same
        return {"runs_on": substrate, "gateway": "not to be seen", "drift": error.message}
    as_wanted = detail["desired_state"] == look.observed.value
    return {
        "runs_on": f"{substrate} {look.where}".strip(),
        "gateway": look.observed.value,
        "started_at": look.started_at,
        "restarts": look.restarts,
        "memory_mb": None if look.memory_bytes is None else look.memory_bytes // 2**20,
        "disk_mb": None if look.disk is None else f"{look.disk.used_mb} of {look.disk.limit_mb}",
        "drift": None if as_wanted else look.reason or f"wanted {detail['desired_state']}, seen {look.observed.value}",
    }


async def operations(session: AsyncSession, slug: str | None, *, limit: int) -> list[dict[str, Any]]:
    """Operations, newest first; raises NotFoundError for an unknown slug."""
    tenant_id = (await tenant_by_slug(session, slug)).id if slug else None
    rows, _ = await operation_rows.page(session, tenant_id=tenant_id, limit=limit)
    return [{"slug": name, **_fields(operation, _OPERATION)} for operation, name in rows]


async def operation_detail(session: AsyncSession, key: uuid.UUID) -> dict[str, Any]:
    """One operation with its events; raises NotFoundError."""
    found = await operation_rows.with_tenant(session, key)
    if found is None:
        raise NotFoundError(f"There is no operation {key}.", remedy="`clawstack operations list` shows the latest.")
    row, owner = found
    shown = [
        {"at": event.created_at, "kind": event.kind, "message": event.message, "data": event.data}
        for event in await operation_rows.events_after(session, key, sequence=_BEFORE_ALL, limit=None)
    ]
    return {"slug": owner.slug, **_fields(row, _OPERATION), "events": shown}


async def backups(session: AsyncSession, slug: str | None) -> list[dict[str, Any]]:
    """Backups, newest first; raises NotFoundError for an unknown slug."""
    tenant_id = (await tenant_by_slug(session, slug)).id if slug else None
    rows = await backup_rows.listed(session, tenant_id)
    return [{"slug": name, **_fields(backup, _BACKUP)} for backup, name in rows]


def _fields(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
