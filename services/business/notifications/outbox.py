"""Owing somebody a message, in the transaction that makes it due."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.notifications import OutboxMessage


async def owe(
    session: AsyncSession,
    *,
    key: str,
    audience: str,
    tenant_id: uuid.UUID | None,
    kind: str,
    payload: Mapping[str, Any],
) -> None:
    """Owe `audience` a message, delivered after the commit; one per `key`, however often its cause is seen."""
    message = insert(OutboxMessage).values(
        deduplication_key=key, audience=audience, tenant_id=tenant_id, kind=kind, payload=dict(payload)
    )
    await session.execute(message.on_conflict_do_nothing(index_elements=["deduplication_key"]))
