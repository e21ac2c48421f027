"""What operators are told over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from services.kit.http.shape import Shape


class Overview(Shape):
    """The platform in numbers."""

    model_config = ConfigDict(frozen=True)

    tenants: dict[str, int]
    """Tenants by state."""
    operations: dict[str, int]
    """Operations by status."""
    unsent_messages: int
    """Messages owed to people and not delivered yet."""
    shortcomings: tuple[str, ...] = ()
    """What this installation cannot hold its cells back from, each with its remedy."""


class CellView(Shape):
    """Where a tenant's cell runs and what was last seen of it. Not for customers."""

    model_config = ConfigDict(frozen=True)

    slug: str
    """The tenant's slug."""
    state: str
    """Where the tenant is in its life."""
    desired_state: str
    """What is wanted of the cell."""
    generation: int
    """Counts the changes that were wanted."""
    observed_generation: int
    """The last of these that has been brought about."""
    observed_state: str
    """What was last seen of the cell."""
    observed_at: datetime | None
    """When that was; None: never."""
    observed: dict[str, Any]
    """Stack outputs and health, without secrets."""
    port: int | None
    """Port of the gateway; None: it has none of its own."""
    account: str | None
    """Account that the gateway runs as; None: it has none."""
    stack: str | None
    """Name of its Pulumi stack; None: there is none yet."""


class SignupView(Shape):
    """What a sign-up became."""

    model_config = ConfigDict(frozen=True)

    signup_id: str
    """Identifier of the sign-up."""
    tenant: str | None
    """Slug; None while it is not paid."""
