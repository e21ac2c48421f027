"""What is to become of an update: pure decisions, no database and no network."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.traffic.telegram.model import texts
from services.traffic.telegram.model.texts import Standing
from services.traffic.telegram.model.updates import Incoming

_ONE_DAY: Final = timedelta(days=1)


class UpdateOutcome(StrEnum):
    """Why nothing remains to be done with an update. Absent while it waits for its cell."""

    DELIVERED = "delivered"
    ANSWERED = "answered"
    """The router spoke for itself (`/start CODE`)."""
    UNBOUND = "unbound"
    UNSUPPORTED = "unsupported"
    NOT_ASKED_FOR = "not_asked_for"
    """The cell left this kind out of its allowed_updates."""
    DROPPED = "dropped"
    """The cell asked for waiting updates to be dropped."""
    EXPIRED = "expired"
    TENANT_GONE = "tenant_gone"


class NoticeKind(StrEnum):
    """Kinds of sentences, each said at most so often per chat."""

    LINK = "link"
    HINT = "hint"
    PAUSED = "paused"
    FAREWELL = "farewell"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A sentence for the chat."""

    kind: NoticeKind
    text: str
    not_again_within: timedelta | None = None
    """Said only if none of its kind was said in the chat for this long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The tenant that a chat or a code belongs to."""

    tenant_id: uuid.UUID
    customer_id: uuid.UUID | None
    standing: Standing


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownCode:
    """A code of a deep link, as it is stored."""

    owner: Owner
    expires_at: datetime
    used_by_chat: int | None
    is_used: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do with an update. `deliver_to` and `outcome` exclude each other."""

    deliver_to: uuid.UUID | None = None
    outcome: UpdateOutcome | None = None
    notice: Notice | None = None
    bind_to: uuid.UUID | None = None
    """Give the chat to this tenant."""
    use_code: bool = False
    release: bool = False
    """Forget whose chat it is."""


def decide(update: Incoming, owner: Owner | None) -> Decision:
    """What becomes of an update of a chat that belongs to `owner` (None: to nobody). `/start CODE` goes elsewhere."""
    if update.chat_id is None and update.poll_id is None:
        return Decision(outcome=UpdateOutcome.UNSUPPORTED)
    if owner is None:
        return Decision(outcome=UpdateOutcome.UNBOUND, notice=_hint(update))
    if owner.standing is Standing.GONE:
        farewell = update.kind == "message" and not update.from_bot
        notice = Notice(kind=NoticeKind.FAREWELL, text=texts.FAREWELL, not_again_within=_ONE_DAY) if farewell else None
        return Decision(outcome=UpdateOutcome.TENANT_GONE, notice=notice, release=farewell)
    paused = owner.standing is Standing.PAUSED and _is_talk(update)
    notice = Notice(kind=NoticeKind.PAUSED, text=texts.PAUSED_NOTICE, not_again_within=_ONE_DAY) if paused else None
    return Decision(deliver_to=owner.tenant_id, notice=notice)


def decide_start(update: Incoming, owner: Owner | None, code: KnownCode | None, *, now: datetime) -> Decision:
    """What becomes of `/start CODE`. The cell never sees it; the router answers."""
    if code is None:
        return _answer(texts.UNKNOWN_LINK)
    target = code.owner
    if owner is not None and owner.tenant_id == target.tenant_id and owner.standing is not Standing.GONE:
        # The link opened twice, or a second link of the same tenant: nothing to do, and the code stays good.
        return _answer(texts.already_connected(target.standing, first_name=_name(update)))
    if code.is_used:
        return _answer(texts.USED_LINK)
    if code.expires_at <= now or target.standing is Standing.GONE:
        return _answer(texts.EXPIRED_LINK)
    if owner is not None and not _may_move(owner, target):
        return _answer(texts.FOREIGN_CHAT)
    moved = owner is not None and owner.standing is not Standing.GONE
    greeting = texts.greeting(target.standing, first_name=_name(update), moved=moved)
    return Decision(
        outcome=UpdateOutcome.ANSWERED,
        notice=Notice(kind=NoticeKind.LINK, text=greeting),
        bind_to=target.tenant_id,
        use_code=True,
    )


def _may_move(owner: Owner, target: Owner) -> bool:
    """A chat moves between tenants of one customer, and away from a tenant that is no more."""
    if owner.standing is Standing.GONE:
        return True
    return owner.customer_id is not None and owner.customer_id == target.customer_id


def _answer(text: str) -> Decision:
    return Decision(outcome=UpdateOutcome.ANSWERED, notice=Notice(kind=NoticeKind.LINK, text=text))


def _hint(update: Incoming) -> Notice | None:
    """In a group nobody may have spoken to the bot: there only `/start` is answered."""
    if not _is_talk(update) or not (update.is_private or update.starts):
        return None
    return Notice(kind=NoticeKind.HINT, text=texts.UNBOUND_HINT, not_again_within=_ONE_DAY)


def _is_talk(update: Incoming) -> bool:
    return update.kind == "message" and not update.from_bot


def _name(update: Incoming) -> str:
    return update.first_name if update.is_private else ""
