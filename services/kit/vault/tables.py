"""Rows of the vault. Nothing in here opens without the master key."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Now


class TenantKey(Base):
    """A tenant's data key, wrapped by the master key."""

    __tablename__ = "tenant_keys"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    wrapped: Mapped[bytes]
    master_fingerprint: Mapped[str]
    created_at: Mapped[Now]


class TenantSecret(Base):
    """One secret of a tenant, sealed with its data key."""

    __tablename__ = "tenant_secrets"

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    created_at: Mapped[Now]
    erased_at: Mapped[datetime | None]
