"""What operators are told over HTTP."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Overview(BaseModel):
    """The platform in numbers."""

    model_config = ConfigDict(frozen=True)

    tenants: dict[str, int]
    """Tenants by state."""
    operations: dict[str, int]
    """Operations by status."""
    unsent_messages: int
