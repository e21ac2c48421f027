"""Plans, prices and models: the one catalogue file, read and checked once per process."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from clawstack import plan_file
from clawstack.errors import InvalidInputError

MICRO: Final = 1_000_000


class Period(StrEnum):
    """How often a subscription is invoiced; the value is Stripe's `recurring.interval`."""

    MONTH = "month"
    YEAR = "year"


class Channel(StrEnum):
    """Where people talk to an assistant."""

    TELEGRAM = "telegram"
    WEB = "web"


class Ability(StrEnum):
    """Something that an assistant may do: allowed by its plan, chosen by its bundle and its owner."""

    MEMORY = "memory"
    REMINDERS = "reminders"
    WEB = "web"
    FILES = "files"
    IMAGES = "images"
    VOICE = "voice"


class Support(StrEnum):
    """Whose questions are answered first."""

    STANDARD = "standard"
    PRIORITY = "priority"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanResources(_Frozen):
    """Limits of one cell."""

    memory_mb: Annotated[int, Field(ge=1024)]
    """OpenClaw needs 1 GiB at least (measured: 800 MB idle, 1.2 GB after turns)."""
    cpu: Annotated[float, Field(gt=0)]
    disk_mb: Annotated[int, Field(ge=512)]
    max_processes: Annotated[int, Field(ge=64)]
    max_open_files: Annotated[int, Field(ge=1024)]


class Plan(_Frozen):
    """What a customer buys: everything that a plan decides, anywhere, stands in its entry. What one leaves out is the least."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]
    """Part of labels, lookup keys at Stripe and names of priority classes; never changed once sold."""
    title: str
    summary: str
    prices: dict[Period, Annotated[int, Field(gt=0)]]
    """Cents per period."""
    monthly_tokens: Annotated[int, Field(gt=0)]
    """Input and output tokens per calendar month (UTC)."""
    monthly_budget_usd: Annotated[Decimal, Field(gt=0)]
    """What the plan's model use may cost us per calendar month; whichever limit is reached first refuses."""
    models: tuple[str, ...] = Field(min_length=1)
    """Allowed models; the first is the default."""
    substrates: tuple[str, ...] = Field(min_length=1)
    """Where its cells may run; the first is where they do when the platform's default is none of them."""
    resources: PlanResources
    server_type: Annotated[str, Field(pattern=r"^[a-z]{2,4}\d{1,3}$")] | None = None
    """Hetzner's type for cells on servers; CLAWSTACK_SERVERS may name another by plan."""
    priority: Annotated[int, Field(ge=0, lt=1_000_000)] = 0
    """In a full cluster cells of a lower priority wait; the platform's own is 1,000,000."""
    seats: Annotated[int, Field(ge=1)] = 1
    """People of one customer, its owner among them."""
    assistants: Annotated[int, Field(ge=1)] = 1
    """Tenants of one customer."""
    channels: tuple[Channel, ...] = Field(default=(Channel.TELEGRAM,), min_length=1)
    abilities: frozenset[Ability] = frozenset()
    kept_backups: Annotated[int, Field(ge=1)] = 7
    """Verified backups kept per tenant; older ones may go."""
    history_days: Annotated[int, Field(ge=1)] = 30
    """How far back usage and events can be looked at."""
    support: Support = Support.STANDARD

    @model_validator(mode="after")
    def _server_has_a_type(self) -> Plan:
        if "server" in self.substrates and self.server_type is None:
            raise ValueError(f"plan {self.key} runs on servers but names no server_type")
        return self

    def lookup_key(self, period: Period) -> str:
        """Stripe lookup key of this plan's price."""
        return f"clawstack_{self.key}_{period.value}"

    def budget_micro_usd(self) -> int:
        """Monthly budget in millionths of a dollar, the ledger's unit."""
        return int(self.monthly_budget_usd * MICRO)


class ModelPrice(_Frozen):
    """One model: where it is served and what a million tokens cost in USD."""

    upstream: str
    input: Annotated[Decimal, Field(ge=0)]
    cached_input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]
    context_window: Annotated[int, Field(gt=0)]
    max_output: Annotated[int, Field(gt=0)]

    def cost_micro_usd(self, *, input_tokens: int, cached_input_tokens: int, output_tokens: int) -> int:
        """Cost in millionths of a dollar, rounded up; `cached_input_tokens` are part of `input_tokens`."""
        cached = min(cached_input_tokens, input_tokens)
        exact = (input_tokens - cached) * self.input + cached * self.cached_input + output_tokens * self.output
        return int(exact.to_integral_value(rounding="ROUND_CEILING"))


class Catalogue(_Frozen):
    """Everything in `plans.yaml`."""

    version: str
    currency: str
    plans: dict[str, Plan]
    models: dict[str, ModelPrice]

    @model_validator(mode="after")
    def _every_model_has_a_price(self) -> Catalogue:
        for plan in self.plans.values():
            unknown = set(plan.models) - set(self.models)
            if unknown:
                raise ValueError(f"plan {plan.key} allows {sorted(unknown)}, which have no price")
        return self

    def plan(self, key: str) -> Plan:
        """The plan; raises InvalidInputError with the allowed set."""
        try:
            return self.plans[key]
        except KeyError:
            allowed = ", ".join(self.plans)
            raise InvalidInputError(
                f"There is no plan {key[:40]!r}.", code="unknown_plan", remedy=f"Choose one of: {allowed}."
            ) from None

    def server_types(self) -> dict[str, str]:
        """Hetzner's types by the plans that have one."""
        return {plan.key: plan.server_type for plan in self.plans.values() if plan.server_type is not None}

    def plan_of_lookup_key(self, lookup_key: str) -> tuple[Plan, Period] | None:
        """The plan and period that a Stripe price stands for, None for a price that is not ours."""
        for plan in self.plans.values():
            for period in plan.prices:
                if plan.lookup_key(period) == lookup_key:
                    return plan, period
        return None


def load_catalogue(text: str | None = None) -> Catalogue:
    """The catalogue from `text`, or the shipped file; raises pydantic's ValidationError when it contradicts itself."""
    raw = plan_file.read_plan_file() if text is None else yaml.safe_load(text)
    plans = {key: {"key": key, **body} for key, body in raw.pop("plans").items()}
    return Catalogue.model_validate({**raw, "plans": plans})
