"""What a stack costs a month has a ceiling: a wrong number of servers is stopped before it is billed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pulumi_policy import PolicyResource, Severity, StackValidationArgs, StackValidationPolicy

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import of_cell
from clawstack_policies.rule import stack_rule

_CELL: Final = 30.0
_PLATFORM: Final = 400.0
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
def prices() -> Mapping[str, Any]:
    """The price list, as plain data."""
    listed: dict[str, Any] = yaml.safe_load(files("clawstack").joinpath("cluster", "prices.yaml").read_text())
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
    return _PRICED[found.resource_type](found.props, prices())


def _server(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    entry = listed["server_types"].get(str(props.get("serverType")))
    if entry is None:
        return None
    share = 1 + (float(listed["backups_share"]) if props.get("backups") else 0.0)
    networks = list(props.get("publicNets") or [])
    # Without a word about it Hetzner gives every server a public IPv4 address.
    has_address = not networks or any(net.get("ipv4Enabled") is not False for net in networks)
    own_address = not any(net.get("ipv4") for net in networks)  # one that stands in the stack is counted there
    address = float(listed["primary_ipv4_month"]) if has_address and own_address else 0.0
    return float(entry["month"]) * share + address


def _balancer(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    entry = listed["load_balancer_types"].get(str(props.get("loadBalancerType")))
    return None if entry is None else float(entry["month"])


def _volume(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    return float(props.get("size") or 0) * float(listed["volume_gb_month"])


def _address(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    return float(listed["primary_ipv4_month"]) if props.get("type") == "ipv4" else 0.0


def _floating(props: Mapping[str, Any], listed: Mapping[str, Any]) -> float | None:
    return float(listed["floating_ipv4_month"]) if props.get("type") == "ipv4" else 0.0


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
