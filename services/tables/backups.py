"""Rows of backups: what can be restored."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Id, Now


class Backup(Base):
    """A verified, encrypted archive of one cell's state."""

    __tablename__ = "backups"
    # An archive is known by its content: it keeps its record when it moves to a store, or is found here once more.
    __table_args__ = (UniqueConstraint("tenant_id", "sha256"),)

    id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    location: Mapped[str] = mapped_column(unique=True)
    """A path on this machine, or where it is in the store (`services.business.backups.stores`)."""
    sha256: Mapped[str]
    size: Mapped[int]
    reason: Mapped[str]
    openclaw_version: Mapped[str | None]
    created_at: Mapped[Now]
    verified_at: Mapped[datetime | None]
