"""Rows of access: tokens, hashed at rest."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Now


class ApiToken(Base):
    """A bearer token for `/v1`. `key` is its public half."""

    __tablename__ = "api_tokens"

    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    secret_hash: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id"), index=True)
    created_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
