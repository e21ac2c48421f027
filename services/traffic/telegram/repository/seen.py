"""SQL of ids that reached a tenant: files, pressed buttons, polls."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.telegram import SeenObject
from services.traffic.telegram.model.schemas import SeenKind

_BATCH = 1000


async def note(session: AsyncSession, tenant_id: uuid.UUID, kind: SeenKind, ids: Collection[str]) -> None:
    """These ids reached the tenant (again)."""
    ordered = sorted(set(ids))  # one order everywhere: two transactions never wait for each other crosswise
    for start in range(0, len(ordered), _BATCH):
        rows = [
            {"tenant_id": tenant_id, "kind": kind.value, "object_id": item} for item in ordered[start : start + _BATCH]
        ]
        keys = [SeenObject.tenant_id, SeenObject.kind, SeenObject.object_id]
        statement = insert(SeenObject).values(rows)
        await session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"seen_at": func.now()}))


async def known(session: AsyncSession, tenant_id: uuid.UUID, kind: SeenKind, among: Collection[str]) -> frozenset[str]:
    """Those of these ids that reached the tenant."""
    if not among:
        return frozenset()
    query = select(SeenObject.object_id).where(
        SeenObject.tenant_id == tenant_id, SeenObject.kind == kind.value, SeenObject.object_id.in_(among)
    )
    return frozenset((await session.scalars(query)).all())


async def forget_tenant(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """Forget all ids of a tenant."""
    await session.execute(delete(SeenObject).where(SeenObject.tenant_id == tenant_id))


async def prune(session: AsyncSession, kind: SeenKind, *, seen_before: datetime, limit: int) -> int:
    """Forget ids that were not seen for a long time."""
    key = tuple_(SeenObject.tenant_id, SeenObject.kind, SeenObject.object_id)
    old = select(SeenObject.tenant_id, SeenObject.kind, SeenObject.object_id)
    old = old.where(SeenObject.kind == kind.value, SeenObject.seen_at < seen_before).limit(limit)
    result: Any = await session.execute(delete(SeenObject).where(key.in_(old)))
    return max(int(result.rowcount), 0)
