"""Where a tenant's cell may run: what its plan allows and what this installation can do, the latter as data."""

from __future__ import annotations

from clawstack.errors import InvalidInputError
from clawstack.plans import Plan
from tenants.substrates.registry import unavailable


def usual_place(plan: Plan, default: str) -> str:
    """Where a tenant of this plan runs when nobody says otherwise: on the platform's default if the plan allows it."""
    return default if default in plan.substrates else plan.substrates[0]


def require_usable(plan: Plan, substrate: str, usable: tuple[str, ...]) -> None:
    """May this plan run there? Asked here for new, changed, moved and restored tenants alike.

    Raises InvalidInputError unless both the plan and this installation allow the substrate.
    """
    if substrate not in plan.substrates:
        raise InvalidInputError(
            f"Plan {plan.key} does not run on {substrate}.",
            code="substrate_not_in_plan",
            remedy=f"Choose one of: {', '.join(plan.substrates)}; or a plan that runs on {substrate}.",
        )
    if substrate not in usable:
        raise unavailable(substrate, usable)
