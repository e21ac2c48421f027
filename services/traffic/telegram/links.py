"""Deep links: how a person's chat comes to belong to their assistant, and how it stops doing so."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import TemporaryError
from clawstack.settings import Settings
from services.kit.database.base import utcnow
from services.tables.telegram import LinkCode
from services.traffic.telegram.model import texts
from services.traffic.telegram.model.routing import Notice, NoticeKind, UpdateOutcome
from services.traffic.telegram.model.schemas import Link
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository import bots, chats, seen, signals, updates

LIFETIME: Final = timedelta(days=7)
_STILL_USEFUL: Final = timedelta(days=1)  # a link that is shown now should not expire while it is being read
_CODE_BYTES: Final = 24  # 32 characters; Telegram allows 64 of A-Z a-z 0-9 _ -


async def create_link(session: AsyncSession, tenant_id: uuid.UUID, *, settings: Settings) -> Link:
    """A link that binds one chat to the tenant. An unused one that is good for a day yet is given again.

    Raises TemporaryError while the shared bot's name is not known yet.
    """
    bot = settings.telegram_bot_username or await bots.latest_shared_bot(session)
    if bot is None:
        raise TemporaryError(
            "The Telegram bot has not introduced itself yet.",
            code="telegram_bot_unknown",
            remedy="Wait until the router has reached Telegram, or set CLAWSTACK_TELEGRAM_BOT_USERNAME.",
        )
    now = utcnow()
    row = await chats.unused_code(session, tenant_id, good_until=now + _STILL_USEFUL)
    if row is None:
        row = LinkCode(code=secrets.token_urlsafe(_CODE_BYTES), tenant_id=tenant_id, expires_at=now + LIFETIME)
        await chats.add_code(session, row)
    root = f"{settings.telegram_link_base}/{bot}"
    return Link(
        code=row.code,
        url=f"{root}?start={row.code}",
        group_url=f"{root}?startgroup={row.code}",
        expires_at=row.expires_at,
    )


async def unbind_all(session: AsyncSession, tenant_id: uuid.UUID, *, farewell: bool = True) -> int:
    """The tenant's chats are nobody's from now on, what still waited is dropped, its links are void. Safe to repeat.

    With `farewell`, each chat is told once that its assistant has ended. Returns how many chats there were.
    """
    await chats.withdraw_codes(session, tenant_id)
    released = await chats.release_all(session, tenant_id)
    for bot, chat_id in released if farewell else ():
        await chats.say(session, bot, chat_id, Notice(kind=NoticeKind.FAREWELL, text=texts.FAREWELL))
    await updates.finish_all(session, tenant_id, UpdateOutcome.TENANT_GONE)
    await seen.forget_tenant(session, tenant_id)
    await bots.forget_virtual_bot(session, tenant_id)
    await signals.wake(session, Topic.UPDATE, str(tenant_id))
    return len(released)
