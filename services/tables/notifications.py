"""Rows of notifications: an outbox, so that a message is sent if and only if its cause was committed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Id, Now


class OutboxMessage(Base):
    """A message that is owed to somebody."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "created_at", postgresql_where="sent_at IS NULL"),)

    id: Mapped[Id]
    deduplication_key: Mapped[str] = mapped_column(unique=True)
    audience: Mapped[str]
    """`customer` or `operator`."""
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"), index=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[Now]
    sent_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    retry_at: Mapped[datetime | None]
    """Not before this moment, after a failed attempt."""
    last_error: Mapped[str | None]
