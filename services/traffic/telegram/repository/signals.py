"""SQL of wake-up calls between processes."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.traffic.telegram.model.topics import CHANNEL, Topic


async def wake(session: AsyncSession, topic: Topic, subject: str, detail: str = "") -> None:
    """Tell all processes, at the moment this transaction is committed."""
    payload = f"{topic.value} {subject} {detail}".rstrip()
    await session.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})
