"""What operators are told over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Overview(BaseModel):
    """The platform in numbers."""

    model_config = ConfigDict(frozen=True)

    tenants: dict[str, int]
    """Tenants by state."""
    operations: dict[str, int]
    """Operations by status."""
    unsent_messages: int
    shortcomings: tuple[str, ...] = ()
    """What this installation cannot hold its cells back from, each with its remedy."""


class CellView(BaseModel):
    """Where a tenant's cell runs and what was last seen of it. Not for customers."""

    model_config = ConfigDict(frozen=True)

    slug: str
    state: str
    desired_state: str
    generation: int
    observed_generation: int
    observed_state: str
    observed_at: datetime | None
    observed: dict[str, Any]
    """Stack outputs and health, without secrets."""
    port: int | None
    account: str | None
    stack: str | None


class SignupView(BaseModel):
    """What a sign-up became."""

    model_config = ConfigDict(frozen=True)

    signup_id: str
    tenant: str | None
    """Slug; None while it is not paid."""
