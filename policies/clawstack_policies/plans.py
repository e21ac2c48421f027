"""A cell runs only on a substrate that its plan includes: a starter subscription never gets a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack import plan_file
from clawstack.labels import PLAN, SUBSTRATE
from clawstack_policies.labelling import labels_of
from clawstack_policies.rule import rule


@cache
def allowed_substrates() -> dict[str, tuple[str, ...]]:
    """Substrates by plan, from the catalogue."""
    return {name: tuple(plan["substrates"]) for name, plan in plan_file.read_plan_file()["plans"].items()}


def _check(args: ResourceValidationArgs) -> Iterator[str]:
    labels = labels_of(args.resource_type, args.props) or {}
    plan, substrate = labels.get(PLAN), labels.get(SUBSTRATE)
    if not plan or not substrate:
        return  # the rule for labels speaks
    allowed = allowed_substrates().get(str(plan))
    if allowed is None:
        yield f"{args.name} names the plan {plan!r}, which is not in the catalogue ({', '.join(allowed_substrates())})."
    elif substrate not in allowed:
        yield f"{args.name} runs on {substrate!r}, but the plan {plan} includes only {', '.join(allowed)}."


def substrate_within_plan() -> ResourceValidationPolicy:
    """The rule."""
    return rule(
        name="cell-allow-substrate-of-plan",
        sentence="A cell runs only on the substrates that its plan includes.",
        remedy="Move the tenant to an allowed substrate, or to a plan that includes this one.",
        severity=Severity.HIGH,
        check=_check,
    )
