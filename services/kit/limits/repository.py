"""SQL of limits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.limits.tables import RateLimit


async def take(session: AsyncSession, subject: str, *, each: timedelta, window: timedelta) -> bool:
    """Count one attempt that takes `each` to come back; False when more than `window` would be taken.

    One statement, so that two processes cannot both take the last one (the row is locked while it is judged).
    """
    now = func.clock_timestamp()  # not the transaction's start: who waited for the row must see the time it is now
    later = func.greatest(RateLimit.rested_at, now) + each
    statement = (
        insert(RateLimit)
        .values(subject=subject, rested_at=now + each)
        .on_conflict_do_update(
            index_elements=[RateLimit.subject], set_={"rested_at": later}, where=later <= now + window
        )
        .returning(RateLimit.subject)
    )
    return (await session.execute(statement)).first() is not None


async def seconds_left(session: AsyncSession, subject: str, *, each: timedelta, window: timedelta) -> float:
    """How long until `take` gives again."""
    left = RateLimit.rested_at + each - window - func.clock_timestamp()
    found = await session.scalar(select(func.extract("epoch", left)).where(RateLimit.subject == subject))
    return max(0.0, float(found or 0.0))


async def forget_rested(session: AsyncSession) -> None:
    """Remove the rows that say nothing any more."""
    await session.execute(delete(RateLimit).where(RateLimit.rested_at < func.clock_timestamp()))
