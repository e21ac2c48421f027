"""SQL of bots: the shared one as Telegram describes it, the virtual one of each cell, and cells' tokens."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.telegram import ChannelToken, SharedBot, TelegramUpdate, VirtualBot
from services.tables.tenants import Cell, Tenant


@dataclass(frozen=True, kw_only=True, slots=True)
class CellAddress:
    """Where a tenant's cell may be reached, for judging webhook targets."""

    slug: str
    substrate: str
    port: int | None


# -- the shared bot ---------------------------------------------------------------------------------------------------


async def shared_bot(session: AsyncSession, bot: str) -> SharedBot | None:
    """What is known of the shared bot."""
    return await session.get(SharedBot, bot)


async def latest_shared_bot(session: AsyncSession) -> str | None:
    """User name of the shared bot that was seen last, for processes that hold no bot token."""
    return (await session.scalars(select(SharedBot.bot).order_by(SharedBot.refreshed_at.desc()).limit(1))).one_or_none()


async def save_identity(session: AsyncSession, bot: str, identity: dict[str, Any]) -> None:
    """Keep what `getMe` said."""
    statement = insert(SharedBot).values(bot=bot, identity=identity)
    changes = {"identity": identity, "refreshed_at": func.now()}
    await session.execute(statement.on_conflict_do_update(index_elements=[SharedBot.bot], set_=changes))


async def ensure_webhook_secret(session: AsyncSession, bot: str, sealed: bytes) -> bytes:
    """The bot's sealed webhook secret; `sealed` becomes it when there is none."""
    statement = insert(SharedBot).values(bot=bot, identity={}, webhook_secret=sealed)
    kept = func.coalesce(SharedBot.webhook_secret, sealed)
    statement = statement.on_conflict_do_update(index_elements=[SharedBot.bot], set_={"webhook_secret": kept})
    stored = (await session.scalars(statement.returning(SharedBot.webhook_secret))).one()
    return sealed if stored is None else stored


# -- virtual bots -----------------------------------------------------------------------------------------------------


async def virtual_bot(session: AsyncSession, tenant_id: uuid.UUID) -> VirtualBot | None:
    """What the cell set on its bot."""
    return await session.get(VirtualBot, tenant_id)


async def change_virtual_bot(session: AsyncSession, tenant_id: uuid.UUID, **values: Any) -> None:
    """Set columns of the cell's bot, which is made when it has none."""
    statement = insert(VirtualBot).values(tenant_id=tenant_id, **values)
    statement = statement.on_conflict_do_update(index_elements=[VirtualBot.tenant_id], set_=values)
    await session.execute(statement)


async def begin_poll(session: AsyncSession, tenant_id: uuid.UUID, **values: Any) -> VirtualBot:
    """Count a poll and set columns of the cell's bot; returns it locked."""
    statement = insert(VirtualBot).values(tenant_id=tenant_id, polls=1, last_poll_at=func.now(), **values)
    changes = values | {"polls": VirtualBot.polls + 1, "last_poll_at": func.now()}
    statement = statement.on_conflict_do_update(index_elements=[VirtualBot.tenant_id], set_=changes)
    return (await session.scalars(statement.returning(VirtualBot))).one()


async def note_served(session: AsyncSession, tenant_id: uuid.UUID, sequence: int) -> None:
    """Updates up to this number have been handed out."""
    served = func.greatest(VirtualBot.served_sequence, sequence)
    await session.execute(update(VirtualBot).where(VirtualBot.tenant_id == tenant_id).values(served_sequence=served))


async def forget_virtual_bot(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """The cell's webhook and settings are gone; the numbering stays."""
    values = {"webhook_url": None, "allowed_updates": None, "push_after": None, "push_failures": 0}
    await session.execute(update(VirtualBot).where(VirtualBot.tenant_id == tenant_id).values(**values))


async def bots_to_push(session: AsyncSession, *, limit: int, besides: Collection[uuid.UUID]) -> Sequence[uuid.UUID]:
    """Tenants with a webhook, something for it, and no back-off or other process in the way."""
    waits = exists().where(TelegramUpdate.tenant_id == VirtualBot.tenant_id, TelegramUpdate.delivered_at.is_(None))
    query = select(VirtualBot.tenant_id).where(VirtualBot.webhook_url.is_not(None), waits, *_is_free())
    query = query.where(VirtualBot.tenant_id.not_in(besides)).order_by(VirtualBot.push_after.nulls_first())
    return (await session.scalars(query.limit(limit))).all()


async def claim_push(session: AsyncSession, tenant_id: uuid.UUID, owner: str, lease: timedelta) -> bool:
    """Become the one process that pushes to this cell, for the length of the lease. Renews one's own."""
    mine = VirtualBot.push_owner == owner
    statement = update(VirtualBot).where(VirtualBot.tenant_id == tenant_id, or_(mine, *_lease_ended()))
    statement = statement.values(push_owner=owner, push_until=func.now() + lease).returning(VirtualBot.tenant_id)
    return (await session.scalars(statement)).one_or_none() is not None


async def end_push(
    session: AsyncSession, tenant_id: uuid.UUID, owner: str, *, error: str | None = None, after: timedelta | None = None
) -> None:
    """Give the lease back; with `error`, note it and push nothing before `after` has passed."""
    values: dict[str, Any] = {"push_owner": None, "push_until": None}
    if error is None:
        values |= {"push_failures": 0, "push_after": None}
    else:
        values |= {"push_failures": VirtualBot.push_failures + 1, "push_after": func.now() + (after or timedelta())}
        values |= {"last_error": error, "last_error_at": func.now()}
    condition = (VirtualBot.tenant_id == tenant_id) & (VirtualBot.push_owner == owner)
    await session.execute(update(VirtualBot).where(condition).values(**values))


def _is_free() -> tuple[Any, ...]:
    return (or_(*_lease_ended()), or_(VirtualBot.push_after.is_(None), VirtualBot.push_after <= func.now()))


def _lease_ended() -> tuple[Any, ...]:
    return (VirtualBot.push_until.is_(None), VirtualBot.push_until <= func.now())


async def address_of(session: AsyncSession, tenant_id: uuid.UUID) -> CellAddress | None:
    """Where the tenant's cell is; None when there is no such tenant."""
    query = select(Tenant.slug, Tenant.substrate, Cell.port).outerjoin(Cell, Cell.tenant_id == Tenant.id)
    row = (await session.execute(query.where(Tenant.id == tenant_id))).one_or_none()
    return None if row is None else CellAddress(slug=row.slug, substrate=row.substrate, port=row.port)


async def is_port_of_another(session: AsyncSession, tenant_id: uuid.UUID, port: int) -> bool:
    """True when another tenant's gateway listens on this port."""
    query = select(Cell.tenant_id).where(Cell.port == port, Cell.tenant_id != tenant_id)
    return (await session.scalars(query)).first() is not None


# -- tokens -----------------------------------------------------------------------------------------------------------


async def add_token(session: AsyncSession, key: str, tenant_id: uuid.UUID, secret_hash: str) -> None:
    """Store a channel token; storing it again changes nothing."""
    statement = insert(ChannelToken).values(key=key, tenant_id=tenant_id, secret_hash=secret_hash)
    await session.execute(statement.on_conflict_do_nothing())


async def token(session: AsyncSession, key: str) -> ChannelToken | None:
    """The stored token, revoked or not."""
    return (await session.scalars(select(ChannelToken).where(ChannelToken.key == key))).one_or_none()


async def revoke_tokens(session: AsyncSession, tenant_id: uuid.UUID, *, now: datetime) -> Sequence[str]:
    """Revoke the tenant's tokens; returns the keys of those that were good."""
    statement = update(ChannelToken).where(ChannelToken.tenant_id == tenant_id, ChannelToken.revoked_at.is_(None))
    return (await session.scalars(statement.values(revoked_at=now).returning(ChannelToken.key))).all()


async def forget_tokens(session: AsyncSession, *, revoked_before: datetime, limit: int) -> int:
    """Remove tokens that were revoked long ago."""
    old = select(ChannelToken.key).where(ChannelToken.revoked_at < revoked_before).limit(limit)
    result: Any = await session.execute(delete(ChannelToken).where(ChannelToken.key.in_(old)))
    return max(int(result.rowcount), 0)
