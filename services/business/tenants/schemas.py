"""Borders of the provisioner: what the API takes and gives, and what a tenant's settings may hold."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import ConfigDict, Field

from clawstack.vocabulary import Desired, OperationStatus, TenantState
from services.kit.http.shape import Shape
from services.tables.tenants import Operation, OperationEvent, Tenant
from services.traffic.ledger.schemas import Usage
from tenants.disk_use import DiskLevel
from tenants.spec import SubstrateName

ShortText = Annotated[str, Field(min_length=1, max_length=100)]
T = TypeVar("T")


class TenantSettings(Shape):
    """What customer or operator chose beyond plan and bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    primary_model: ShortText | None = None
    """One of the plan's models; None: the plan's first."""


class TenantRequest(Shape):
    """A tenant that an operator makes without a payment."""

    model_config = ConfigDict(extra="forbid")

    plan: ShortText
    """Name of a plan in the catalogue."""
    bundle: ShortText
    """Name of a bundle: the persona that the assistant has."""
    bundle_version: Annotated[str, Field(max_length=40)] | None = None
    """None: the newest."""
    answers: Annotated[dict[str, Annotated[str, Field(max_length=2000)]], Field(max_length=50)] = Field(
        default_factory=dict
    )
    """What the bundle asks for, by the question's name."""
    substrate: SubstrateName | None = None
    """Where the cell shall run; None: the default of this installation."""
    customer_id: uuid.UUID | None = None
    """The customer whom it belongs to; None: nobody but operators."""
    name: Annotated[str, Field(max_length=200)] = ""
    """What the slug shall remind of."""
    restore_from: Annotated[str, Field(max_length=1000)] | None = None
    """Location of a backup that the assistant shall start with, as `backups` tells it."""


class TenantPatch(Shape):
    """What may be changed of a tenant; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    plan: ShortText | None = None
    """Name of the plan to change to (operators)."""
    substrate: SubstrateName | None = None
    """Moves the cell there, with its state (operators)."""
    settings: TenantSettings | None = None
    """What is chosen beyond plan and bundle; replaces what was chosen before."""


class DiskView(Shape):
    """What an assistant's files take, as last counted."""

    used_mb: int
    """Megabytes that its files take."""
    limit_mb: int
    """Megabytes that they may take."""
    files: int
    """How many files and folders there are."""
    most_files: int
    """How many there may be."""
    level: DiskLevel
    """What that means for the assistant."""

    @classmethod
    def of(cls, tenant: Tenant) -> Self | None:
        """From what was observed of the cell; None where nobody counts or has counted."""
        seen = tenant.observed.get("disk")
        if not seen:
            return None
        return cls.model_validate({**seen, "files": seen["entries"], "most_files": seen["most_entries"]})


class TenantView(Shape):
    """A tenant as its owner and operators see it."""

    slug: str
    """Name of the tenant in addresses and on the command line; never changes."""
    state: TenantState
    """Where the tenant is in its life."""
    state_code: str | None
    """Why it is in that state, as a word for programs; None where there is nothing to tell."""
    state_reason: str | None
    """The same as a sentence for people."""
    desired_state: Desired
    """What is wanted of the cell."""
    plan: str
    """Name of its plan."""
    bundle: str
    """Name of its bundle."""
    bundle_version: str
    """Version of the bundle that the cell gets."""
    substrate: str
    """Where the cell runs."""
    answers: dict[str, Any]
    """What the bundle asked for."""
    settings: TenantSettings
    """What was chosen beyond plan and bundle."""
    converged: bool
    """What is wanted has been brought about."""
    disk: DiskView | None
    """None where the assistant has a volume of its own, which ends at its size."""
    customer_id: uuid.UUID | None
    """The customer whom it belongs to; None: nobody but operators."""
    created_at: datetime
    """When it was made."""
    updated_at: datetime
    """When its row changed last."""
    healthy_at: datetime | None
    """When its gateway first answered; None: not yet."""
    retry_at: datetime | None
    """When the platform tries again what failed; None: nothing is to be tried."""
    deleted_at: datetime | None
    """When its cell was gone for good; None: it is there."""

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


class OperationView(Shape):
    """An operation as owner and operators see it."""

    id: uuid.UUID
    """Identifier of the operation."""
    tenant: str
    """The tenant's slug."""
    kind: str
    """What was done to the cell."""
    status: OperationStatus
    """How far it is."""
    reason: str | None
    """Why it was begun."""
    attempt: int
    """Which try this is, from 1."""
    error_code: str | None
    """What went wrong, as a word for programs; None: nothing did."""
    error_message: str | None
    """The same as a sentence for people."""
    error_remedy: str | None
    """What can be done about it."""
    summary: dict[str, Any]
    """What the engine changed, by kind of change, and its durations."""
    cancel_requested_at: datetime | None
    """When somebody asked it to stop; None: nobody did."""
    created_at: datetime
    """When it was begun."""
    finished_at: datetime | None
    """When it ended; None: it runs."""

    @classmethod
    def of(cls, operation: Operation, slug: str) -> Self:
        """The row as it is shown."""
        names = set(cls.model_fields) - {"tenant"}
        return cls.model_validate({**{name: getattr(operation, name) for name in names}, "tenant": slug})


class EventView(Shape):
    """One step of an operation."""

    operation_id: uuid.UUID
    """The operation that it belongs to."""
    sequence: int
    """Its place within the operation, from 1; what `Last-Event-ID` names."""
    kind: str
    """What sort of step it was."""
    message: str
    """The step as a sentence, without secrets."""
    data: dict[str, Any]
    """The step for programs, without secrets."""
    created_at: datetime
    """When it happened."""

    @classmethod
    def of(cls, event: OperationEvent) -> Self:
        """The row as it is shown."""
        return cls.model_validate({name: getattr(event, name) for name in cls.model_fields})


class Page(Shape, Generic[T]):
    """A part of a list."""

    items: list[T]
    """This part of the list."""
    total: int
    """How many there are in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were left out before the first."""


class Accepted(Shape):
    """A wish was written down; the tenant follows."""

    tenant: TenantView
    """The tenant as it is now."""
    changed: bool
    """False: it was wanted already."""


class LogView(Shape):
    """The end of the gateway's log, oldest line first, without secrets."""

    lines: list[str]
    """Lines as the gateway wrote them, secrets struck out."""


class ModelUsageView(Shape):
    """One model's share."""

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


class UsageView(Shape):
    """Tokens and money of one month (UTC) against the plan's limits."""

    period: str
    """Calendar month (UTC), for example `2026-11`."""
    tokens_used: int
    """Tokens that count against the plan."""
    tokens_reserved: int
    """Tokens set aside for requests under way."""
    tokens_limit: int
    """The plan's tokens for a month."""
    cost_micro_usd: int
    """What was used, in millionths of a US dollar."""
    budget_micro_usd: int
    """The plan's budget for a month, in millionths of a US dollar."""
    by_model: list[ModelUsageView]
    """The same, model by model."""

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The ledger's answer as it is shown."""
        return cls.model_validate(usage, from_attributes=True)
