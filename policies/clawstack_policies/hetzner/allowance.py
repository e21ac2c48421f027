"""What may be ordered, and where: server types and locations, per plan for cells and in general for the platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack import plan_file
from clawstack.labels import PLAN
from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import labels, of_cell, place_of
from clawstack_policies.rule import rule

_EUROPE: Final = ("fsn1", "nbg1", "hel1")
#: Shared types of 4 to 16 GB: what one assistant can use. The platform's nodes may be larger, never the largest.
_FOR_CELLS: Final = ("cx23", "cx33", "cx43", "cpx22", "cpx32", "cpx42", "cax11", "cax21", "cax31")
_FOR_PLATFORM: Final = (*_FOR_CELLS, "cx53", "cpx52", "cax41", "ccx13", "ccx23", "ccx33")
_PLACED: Final = frozenset(
    {objects.SERVER, objects.VOLUME, objects.LOAD_BALANCER, objects.PRIMARY_IP, objects.FLOATING_IP}
)

_NAMES: Final = {"type": "array", "items": {"type": "string", "minLength": 2}}


@cache
def types_of_plans() -> Mapping[str, tuple[str, ...]]:
    """Types by the plans that may run on servers: those for cells, and the one that the catalogue names."""
    plans = plan_file.read_plan_file()["plans"]
    on_servers = {name: plan.get("server_type") for name, plan in plans.items() if "server" in plan["substrates"]}
    return {name: tuple(dict.fromkeys((*_FOR_CELLS, type_ or _FOR_CELLS[0]))) for name, type_ in on_servers.items()}


def _options() -> dict[str, Any]:
    return {
        "types": {
            "type": "object",
            "additionalProperties": _NAMES,
            "description": "Server types by plan, and those of the platform's own nodes under `platform`.",
            "default": {
                **{plan: list(types) for plan, types in types_of_plans().items()},
                "platform": list(_FOR_PLATFORM),
            },
        },
        "locations": {
            **_NAMES,
            "description": "Locations; the default keeps customers' data in the European Union.",
            "default": list(_EUROPE),
        },
    }


def _not_allowed(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type not in _PLACED:
        return
    yield from _misplaced(args)
    if args.resource_type == objects.SERVER:
        yield from _oversized(args)


def _misplaced(args: ResourceValidationArgs) -> Iterator[str]:
    allowed = [str(place) for place in args.get_config().get("locations") or _EUROPE]
    place = place_of(args.props) or (args.props.get("homeLocation") and str(args.props["homeLocation"]))
    if place is None and args.resource_type == objects.SERVER:
        yield f"{args.name} names no location; Hetzner would choose one."
    elif place and place not in allowed:
        yield f"{args.name} is placed in {place}; allowed: {', '.join(allowed)}."


def _oversized(args: ResourceValidationArgs) -> Iterator[str]:
    wanted = str(args.props.get("serverType") or "no type")
    who, allowed = _allowed_types(args)
    if wanted not in allowed:
        yield f"{args.name} is a {wanted}; allowed for {who}: {', '.join(allowed) or 'none'}."


def _allowed_types(args: ResourceValidationArgs) -> tuple[str, list[str]]:
    configured: Mapping[str, Any] = args.get_config().get("types") or {}
    if not of_cell(args.urn, args.props):
        return "the platform", [str(each) for each in configured.get("platform") or _FOR_PLATFORM]
    plan = str(labels(args.props).get(PLAN))
    return f"the plan {plan}", [str(each) for each in configured.get(plan) or types_of_plans().get(plan, ())]


def types_allowed() -> ResourceValidationPolicy:
    """No order that nobody agreed to."""
    return rule(
        name="server-allow-type-of-plan",
        sentence="Servers are of the types that their plan (or the platform) may order, in the allowed locations.",
        remedy="Choose one of them, or add it to `types` or `locations` in the pack's configuration.",
        severity=Severity.HIGH,
        check=_not_allowed,
        options=_options(),
    )
