"""Borders of the ledger: what a request counts, and how it ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import ConfigDict


class RequestOutcome(StrEnum):
    """How a request ended in the ledger; every request ends in exactly one."""

    SETTLED = "settled"
    """Charged as the vendor reported it."""
    ESTIMATED = "estimated"
    """The vendor worked and reported nothing, or the platform crashed: charged by a careful estimate."""
    RELEASED = "released"
    """Nothing was used, nothing is charged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCount:
    """What one request used. `cached` is part of `input`; hidden reasoning is part of `output`."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def total(self) -> int:
        """What counts against the plan's monthly tokens."""
        return self.input + self.output


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """Tokens and money set aside for one request. `id` is also the request's id towards the client."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    period: str
    model: str
    upstream: str
    price_version: str
    tokens: TokenCount
    cost: int
    """Millionths of a US dollar."""
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The end of one reservation."""

    reservation: Reserved
    outcome: RequestOutcome
    tokens: TokenCount
    cost: int
    raw_usage: dict[str, Any] | None = None
    status: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelUsage:
    """One model's share of a period."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)  # `/v1/me/usage` shows it

    model: str
    """Name of the model."""
    requests: int
    """Requests that were counted."""
    input_tokens: int
    """Tokens sent to the model, cached ones included."""
    cached_input_tokens: int
    """Of these, tokens that the vendor had cached."""
    output_tokens: int
    """Tokens that the model wrote, hidden reasoning included."""
    cost_micro_usd: int
    """What they cost, in millionths of a US dollar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a tenant used in one calendar month (UTC), and what its plan allows."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)  # `/v1/me/usage` shows it

    period: str
    """`2026-11`."""
    tokens_used: int
    """Tokens that count against the plan."""
    tokens_reserved: int
    """Set aside for requests under way."""
    tokens_limit: int
    """The plan's tokens for a month."""
    cost_micro_usd: int
    """What was used, in millionths of a US dollar."""
    budget_micro_usd: int
    """The plan's budget for a month, in millionths of a US dollar."""
    by_model: tuple[ModelUsage, ...] = field(default=())
    """The same, model by model."""

    def fraction(self) -> float:
        """The part of the plan that is used up, by whichever limit is nearer; 1.0 when a limit is reached."""
        return min(1.0, max(self.tokens_used / self.tokens_limit, self.cost_micro_usd / self.budget_micro_usd))


def period_of(moment: datetime) -> str:
    """The calendar month (UTC) that usage at this moment counts in: `2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def next_period_starts(period: str) -> datetime:
    """The first moment after `period`."""
    year, month = (int(part) for part in period.split("-"))
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
