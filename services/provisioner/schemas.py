"""Borders of the provisioner: what the API takes and gives, and what a tenant's settings may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class TenantSettings(BaseModel):
    """What customer or operator chose beyond plan and bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    primary_model: Annotated[str, Field(max_length=100)] | None = None
    """One of the plan's models; None: the plan's first."""
