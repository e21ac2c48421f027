"""What is told of a cell's disk: kept in the tenant's row, and said to owner and operator when it comes near its limit."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.business.notifications.outbox import owe
from services.cells.provisioner import bookkeeping
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.tenants import Tenant
from tenants.disk_use import DiskLevel, DiskUse
from tenants.process.disk import free_and_reserve

log = get_logger(__name__)

_STEP: Final = 0.05
"""Of the limit: smaller changes are not written down, for most sweeps would write most rows."""
_RESERVES_LEFT: Final = 2
"""Times the reserve: somebody can still act before cells are stopped."""
_MB: Final = 1024 * 1024
_KIND: Final = {DiskLevel.NEAR: "disk_nearly_full", DiskLevel.FULL: "disk_full"}


def is_news(tenant: Tenant, use: DiskUse | None) -> bool:
    """Whether the row does not say yet what was counted."""
    if use is None:
        return False
    known = _known(tenant)
    return known.get("level") != use.level or abs(float(known.get("share", 0.0)) - use.share) >= _STEP


async def note(session: AsyncSession, tenant: Tenant, use: DiskUse | None, *, now: datetime) -> None:
    """Write down what was counted; people are told once each time it comes near its limit or passes it."""
    if use is None or not is_news(tenant, use):
        return
    known = _known(tenant)
    level = use.level
    since = known["since"] if known.get("level") == level else now.isoformat()
    tenant.observed = {
        **tenant.observed,
        "disk": {**use.record(), "share": round(use.share, 3), "level": level.value, "since": since},
    }
    if level is DiskLevel.FINE or known.get("level") == level:
        return
    payload = {"used_mb": use.used_mb, "limit_mb": use.limit_mb, "files": use.entries, "most_files": use.most_entries}
    for audience in ("customer", "operator"):
        await bookkeeping.notify(
            session, tenant, kind=_KIND[level], audience=audience, payload=payload, once_per=f"{audience}:{since}"
        )


async def tell_of_reserve(database: Database, folder: Path) -> bool:
    """Tell the operator, once a day, that the platform's own file system comes near the database's reserve.

    True when it does. Below the reserve cells are stopped by their launchers, which need nobody for that.
    """
    free, reserve = free_and_reserve(folder)
    if free >= reserve * _RESERVES_LEFT:
        return False
    log.error("disk_reserve_near", free_mb=free // _MB, reserve_mb=reserve // _MB)
    payload = {"folder": str(folder), "free_mb": free // _MB, "reserve_mb": reserve // _MB}
    try:
        async with database.transaction() as session:
            key = f"disk_reserve_low:{utcnow():%Y-%m-%d}"
            await owe(session, key=key, audience="operator", tenant_id=None, kind="disk_reserve_low", payload=payload)
    except TemporaryError as error:
        log.warning("disk_reserve_not_told", reason=error.message)
    return True


def _known(tenant: Tenant) -> dict[str, Any]:
    return tenant.observed.get("disk") or {}
