"""Rows of the Telegram router: updates received once, who owns which chat, and one virtual bot per tenant."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, Now


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
        Index("ix_telegram_updates_waiting", "tenant_id", "id", postgresql_where="delivered_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    """Also the update id that the tenant's cell sees: it rises in order of arrival."""
    bot: Mapped[str]
    update_id: Mapped[int]
    chat_id: Mapped[int | None]
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"))
    """None: answered by the router itself, or nobody's."""
    body: Mapped[dict[str, Any]]
    received_at: Mapped[Now]
    delivered_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class VirtualBot(Base):
    """What a cell set on its own virtual bot: a webhook, and how far it has confirmed updates."""

    __tablename__ = "telegram_virtual_bots"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    webhook_url: Mapped[str | None]
    webhook_secret: Mapped[str | None]
    confirmed_id: Mapped[int] = mapped_column(default=0, server_default="0")
    last_poll_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class SeenFile(Base):
    """Files that reached a tenant: it may download these and no others."""

    __tablename__ = "telegram_seen_files"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    file_id: Mapped[str] = mapped_column(primary_key=True)
    file_path: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[Now]
