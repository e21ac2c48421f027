"""Plans, prices and models: the one catalogue file, read and checked once per process."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from clawstack.errors import InvalidInputError
from clawstack.plan_file import read_plan_file

MICRO: Final = 1_000_000


class Period(StrEnum):
    """How often a subscription is invoiced; the value is Stripe's `recurring.interval`."""

    MONTH = "month"
    YEAR = "year"


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
    """What a customer buys."""

    key: str
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
    resources: PlanResources

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

    def plan_of_lookup_key(self, lookup_key: str) -> tuple[Plan, Period] | None:
        """The plan and period that a Stripe price stands for, None for a price that is not ours."""
        for plan in self.plans.values():
            for period in plan.prices:
                if plan.lookup_key(period) == lookup_key:
                    return plan, period
        return None


def load_catalogue(text: str | None = None) -> Catalogue:
    """The catalogue from `text`, or the shipped file; raises pydantic's ValidationError when it contradicts itself."""
    raw = read_plan_file() if text is None else yaml.safe_load(text)
    plans = {key: {"key": key, **body} for key, body in raw.pop("plans").items()}
    return Catalogue.model_validate({**raw, "plans": plans})
