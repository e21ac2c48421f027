"""Rows of the LLM proxy. The ledger is append-only; money is in millionths of a US dollar."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Id, Now


class ProxyToken(Base):
    """What one cell shows to the LLM proxy."""

    __tablename__ = "proxy_tokens"

    key: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    secret_hash: Mapped[str]
    created_at: Mapped[Now]
    revoked_at: Mapped[datetime | None]


class UsagePeriod(Base):
    """Running totals of one tenant in one calendar month (UTC): what the limit is checked against, in one statement."""

    __tablename__ = "usage_periods"
    __table_args__ = (
        CheckConstraint("tokens_used >= 0 AND tokens_reserved >= 0", name="tokens_not_negative"),
        CheckConstraint("cost_used >= 0 AND cost_reserved >= 0", name="cost_not_negative"),
    )

    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    """`2026-11`."""
    tokens_used: Mapped[int] = mapped_column(default=0, server_default="0")
    tokens_reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    cost_used: Mapped[int] = mapped_column(default=0, server_default="0")
    cost_reserved: Mapped[int] = mapped_column(default=0, server_default="0")


class Reservation(Base):
    """Tokens and money set aside for a request under way. A row that outlives its time is charged as an estimate."""

    __tablename__ = "reservations"

    id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    period: Mapped[str]
    model: Mapped[str]
    upstream: Mapped[str]
    price_version: Mapped[str]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost: Mapped[int]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LedgerEntry(Base):
    """One metered request, for good. Corrections are further rows, never updates."""

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ix_ledger_entries_tenant_period", "tenant_id", "period", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    """The reservation's id: a request is settled once."""
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenants.id"))
    period: Mapped[str]
    model: Mapped[str]
    upstream: Mapped[str]
    outcome: Mapped[str]
    """`settled` (usage as reported), `estimated` (none reported: charged by estimate), `released` (nothing charged)."""
    input_tokens: Mapped[int]
    cached_input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost: Mapped[int]
    price_version: Mapped[str]
    raw_usage: Mapped[dict[str, Any] | None]
    status: Mapped[int | None]
    """HTTP status of the model vendor, None when it never answered."""
    duration_ms: Mapped[int | None]
    created_at: Mapped[Now]
