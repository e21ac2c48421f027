"""Rows of backups: what can be restored."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, Id, Now


class Backup(Base):
    """A verified, encrypted archive of one cell's state."""

    __tablename__ = "backups"

    id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    location: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    size: Mapped[int]
    reason: Mapped[str]
    openclaw_version: Mapped[str | None]
    created_at: Mapped[Now]
    verified_at: Mapped[datetime | None]
