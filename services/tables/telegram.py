"""Rows of the Telegram router: updates received once, who owns which chat, and one virtual bot per tenant."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Now


class ChannelToken(Base):
    """What one cell uses in place of a bot token."""

    __tablename__ = "channel_tokens"

    key: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    secret_hash: Mapped[str]
    created_at: Mapped[Now]
    revoked_at: Mapped[datetime | None]


class LinkCode(Base):
    """The CODE of a deep link `/start CODE`: it binds the chat that sends it to the tenant, once."""

    __tablename__ = "telegram_link_codes"

    code: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_chat: Mapped[int | None]


class SharedBot(Base):
    """The real bot, as `getMe` last described it: every process can build links and answer `getMe` without asking."""

    __tablename__ = "telegram_bots"

    bot: Mapped[str] = mapped_column(primary_key=True)
    identity: Mapped[dict[str, Any]]
    """Empty until Telegram was reached for the first time."""
    webhook_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Made when the settings name none; sealed with the master key."""
    refreshed_at: Mapped[Now]


class ChatBinding(Base):
    """A chat and the tenant that owns it. One owner per chat and bot."""

    __tablename__ = "telegram_bindings"

    bot: Mapped[str] = mapped_column(primary_key=True)
    chat_id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    bound_at: Mapped[Now]


class TelegramUpdate(Base):
    """An update of a shared bot, received once (Telegram repeats what was not acknowledged)."""

    __tablename__ = "telegram_updates"
    __table_args__ = (
        UniqueConstraint("bot", "update_id"),
        UniqueConstraint("tenant_id", "sequence"),
        Index("ix_telegram_updates_waiting", "tenant_id", "sequence", postgresql_where="delivered_at IS NULL"),
        Index("ix_telegram_updates_received_at", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bot: Mapped[str]
    update_id: Mapped[int]
    kind: Mapped[str]
    """The update's one member besides its id: message, callback_query, ..."""
    chat_id: Mapped[int | None]
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"))
    """None: answered by the router itself, or nobody's."""
    sequence: Mapped[int | None]
    """The update id that the cell sees. Drawn under the lock of the tenant's virtual bot, so that a smaller one never
    becomes visible after a larger one: a cell that confirms the larger would lose the smaller."""
    body: Mapped[dict[str, Any]]
    """Emptied as soon as the update needs no delivery any more: people's messages are not kept here."""
    received_at: Mapped[Now]
    delivered_at: Mapped[datetime | None]
    """When nothing remained to be done with it; `outcome` says why."""
    outcome: Mapped[str | None]


class VirtualBot(Base):
    """What a cell set on its own virtual bot, and how far updates were numbered, handed out and pushed."""

    __tablename__ = "telegram_virtual_bots"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    last_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    served_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    """The highest that was ever handed out: an offset beyond it confirms nothing (a cell's state may be older or newer
    than this database)."""
    allowed_updates: Mapped[list[Any] | None]
    polls: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many polls the cell began; the latest ends those before it."""
    last_poll_at: Mapped[datetime | None]
    webhook_url: Mapped[str | None]
    push_after: Mapped[datetime | None]
    """Not before; set by back-off."""
    push_failures: Mapped[int] = mapped_column(default=0, server_default="0")
    push_owner: Mapped[str | None]
    """The process that pushes now, until `push_until`."""
    push_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]


class SeenObject(Base):
    """Ids that reached a tenant through its chats: it may use these and no others, all bots being one bot."""

    __tablename__ = "telegram_seen"
    __table_args__ = (Index("ix_telegram_seen_object", "kind", "object_id"),)

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """`file`, `path` (of a file to download), `callback` (a pressed button) or `poll`."""
    object_id: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[Now]


class RouterReply(Base):
    """What the router itself says in a chat, until the real bot has said it."""

    __tablename__ = "telegram_replies"
    __table_args__ = (
        Index("ix_telegram_replies_waiting", "next_try_at", postgresql_where="finished_at IS NULL"),
        Index("ix_telegram_replies_chat", "bot", "chat_id", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bot: Mapped[str]
    chat_id: Mapped[int]
    text: Mapped[str]
    created_at: Mapped[Now]
    next_try_at: Mapped[Now]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class ChatNotice(Base):
    """When the router last said something of a kind in a chat, so that it does not say it again too soon."""

    __tablename__ = "telegram_notices"

    bot: Mapped[str] = mapped_column(primary_key=True)
    chat_id: Mapped[int] = mapped_column(primary_key=True)
    notice: Mapped[str] = mapped_column(primary_key=True)
    said_at: Mapped[Now]
