"""What a stack costs a month has a ceiling: a wrong number of servers is stopped before it is billed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pulumi_policy import PolicyResource, Severity, StackValidationArgs, StackValidationPolicy

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import known, of_cell, place_of
from clawstack_policies.rule import stack_rule

_CELL: Final = 30.0
_PLATFORM: Final = 400.0
_BACKUPS_SHARE: Final = 0.2
"""Of the server's price (Hetzner's documentation of backups)."""
_OPTIONS: Final = {
    "cellMonthly": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Ceiling of one cell's stack, net EUR a month.",
        "default": _CELL,
    },
    "platformMonthly": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Ceiling of a stack of the platform, net EUR a month.",
        "default": _PLATFORM,
    },
}


@cache
def offers() -> Mapping[str, Any]:
    """The price list, as plain data: `clawstack.cluster.offers` would cost every update the start of pydantic."""
    listed: dict[str, Any] = yaml.safe_load(files("clawstack").joinpath("cluster", "offers.yaml").read_text())
    return listed


def _too_dear(args: StackValidationArgs) -> Iterator[tuple[str, str]]:
    billed = [found for found in args.resources if found.resource_type in _PRICED]
    if not billed:
        return
    known: list[tuple[float, PolicyResource]] = []
    for found in billed:
        price = _monthly(found)
        if price is None:
            yield found.urn, f"{found.name} is of a type that the price list does not know."
        else:
            known.append((price, found))
    total = sum(price for price, _ in known)
    config = args.get_config()
    for_cell = any(of_cell(found.urn, found.props) for found in billed)
    ceiling = (
        float(config.get("cellMonthly") or _CELL) if for_cell else float(config.get("platformMonthly") or _PLATFORM)
    )
    if total > ceiling:
        dearest = max(known, key=lambda each: each[0])[1]
        yield dearest.urn, f"The stack costs {total:.2f} EUR a month, {total - ceiling:.2f} more than its ceiling."


def _monthly(found: PolicyResource) -> float | None:
    return _PRICED[found.resource_type](found.props, offers())


def _server(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    region = (listed["locations"].get(place_of(props)) or {}).get("prices")
    price = (listed["server_types"].get(str(props.get("serverType"))) or {}).get("monthly", {}).get(region)
    if price is None:
        return None
    share = 1 + (_BACKUPS_SHARE if props.get("backups") else 0.0)
    return float(price) * share + (float(listed["ipv4_monthly"]) if _brings_address(props) else 0.0)


def _brings_address(props: Mapping[str, Any]) -> bool:
    """Whether Hetzner makes an IPv4 address for it; one that stands in the stack is counted there."""
    networks = list(known(props, "publicNets") or [])
    return not networks or any(known(net, "ipv4Enabled") is not False and not known(net, "ipv4") for net in networks)


def _balancer(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    entry = listed["load_balancer_types"].get(str(props.get("loadBalancerType")))
    return None if entry is None else float(entry["monthly"])


def _volume(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    return float(props.get("size") or 0) * float(listed["volume_gb_monthly"])


def _address(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    return float(listed["ipv4_monthly"]) if props.get("type") == "ipv4" else 0.0


def _floating(props: Mapping[str, Any], _: Mapping[str, Any]) -> float | None:
    return None if props.get("type") == "ipv4" else 0.0  # not on the list: this project has no use for one


_PRICED: Final = {
    objects.SERVER: _server,
    objects.LOAD_BALANCER: _balancer,
    objects.VOLUME: _volume,
    objects.PRIMARY_IP: _address,
    objects.FLOATING_IP: _floating,
}


def cost_ceiling() -> StackValidationPolicy:
    """Fail closed: a type without a price is refused like one that costs too much."""
    return stack_rule(
        name="stack-limit-cost",
        sentence="What a stack orders at Hetzner costs no more a month than agreed.",
        remedy="Order less, or raise cellMonthly or platformMonthly in the pack's configuration.",
        severity=Severity.HIGH,
        check=_too_dear,
        options=_OPTIONS,
    )
