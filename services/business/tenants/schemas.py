"""Borders of the provisioner: what the API takes and gives, and what a tenant's settings may hold."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from clawstack.vocabulary import Desired, OperationStatus, TenantState
from services.tables.tenants import Operation, OperationEvent, Tenant
from services.traffic.ledger.schemas import Usage
from tenants.disk_use import DiskLevel
from tenants.spec import SubstrateName

ShortText = Annotated[str, Field(min_length=1, max_length=100)]
T = TypeVar("T")


class TenantSettings(BaseModel):
    """What customer or operator chose beyond plan and bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    primary_model: ShortText | None = None
    """One of the plan's models; None: the plan's first."""


class TenantRequest(BaseModel):
    """A tenant that an operator makes without a payment."""

    model_config = ConfigDict(extra="forbid")

    plan: ShortText
    bundle: ShortText
    bundle_version: Annotated[str, Field(max_length=40)] | None = None
    """None: the newest."""
    answers: Annotated[dict[str, Annotated[str, Field(max_length=2000)]], Field(max_length=50)] = Field(
        default_factory=dict
    )
    substrate: SubstrateName | None = None
    customer_id: uuid.UUID | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    """What the slug shall remind of."""
    restore_from: Annotated[str, Field(max_length=1000)] | None = None
    """Location of a backup that the assistant shall start with, as `backups` tells it."""


class TenantPatch(BaseModel):
    """What may be changed of a tenant; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    plan: ShortText | None = None
    substrate: SubstrateName | None = None
    """Moves the cell there, with its state (operators)."""
    settings: TenantSettings | None = None


class DiskView(BaseModel):
    """What an assistant's files take, as last counted."""

    used_mb: int
    limit_mb: int
    files: int
    most_files: int
    level: DiskLevel

    @classmethod
    def of(cls, tenant: Tenant) -> Self | None:
        """From what was observed of the cell; None where nobody counts or has counted."""
        seen = tenant.observed.get("disk")
        if not seen:
            return None
        return cls.model_validate({**seen, "files": seen["entries"], "most_files": seen["most_entries"]})


class TenantView(BaseModel):
    """A tenant as its owner and operators see it."""

    slug: str
    state: TenantState
    state_code: str | None
    state_reason: str | None
    desired_state: Desired
    plan: str
    bundle: str
    bundle_version: str
    substrate: str
    answers: dict[str, Any]
    settings: TenantSettings
    converged: bool
    """What is wanted has been brought about."""
    disk: DiskView | None
    """None where the assistant has a volume of its own, which ends at its size."""
    customer_id: uuid.UUID | None
    created_at: datetime
    updated_at: datetime
    healthy_at: datetime | None
    retry_at: datetime | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """The row as it is shown."""
        names = set(cls.model_fields) - {"settings", "converged", "disk"}
        return cls.model_validate(
            {
                **{name: getattr(tenant, name) for name in names},
                "settings": TenantSettings.model_validate(tenant.settings),
                "converged": tenant.generation == tenant.observed_generation,
                "disk": DiskView.of(tenant),
            }
        )


class OperationView(BaseModel):
    """An operation as owner and operators see it."""

    id: uuid.UUID
    tenant: str
    kind: str
    status: OperationStatus
    reason: str | None
    attempt: int
    error_code: str | None
    error_message: str | None
    error_remedy: str | None
    summary: dict[str, Any]
    cancel_requested_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, operation: Operation, slug: str) -> Self:
        """The row as it is shown."""
        names = set(cls.model_fields) - {"tenant"}
        return cls.model_validate({**{name: getattr(operation, name) for name in names}, "tenant": slug})


class EventView(BaseModel):
    """One step of an operation."""

    operation_id: uuid.UUID
    sequence: int
    kind: str
    message: str
    data: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: OperationEvent) -> Self:
        """The row as it is shown."""
        return cls.model_validate({name: getattr(event, name) for name in cls.model_fields})


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    total: int
    limit: int
    offset: int


class Accepted(BaseModel):
    """A wish was written down; the tenant follows."""

    tenant: TenantView
    changed: bool
    """False: it was wanted already."""


class LogView(BaseModel):
    """The end of the gateway's log, oldest line first, without secrets."""

    lines: list[str]


class ModelUsageView(BaseModel):
    """One model's share."""

    model: str
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_micro_usd: int


class UsageView(BaseModel):
    """Tokens and money of one month (UTC) against the plan's limits."""

    period: str
    tokens_used: int
    tokens_reserved: int
    tokens_limit: int
    cost_micro_usd: int
    budget_micro_usd: int
    by_model: list[ModelUsageView]

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The ledger's answer as it is shown."""
        return cls.model_validate(usage, from_attributes=True)
