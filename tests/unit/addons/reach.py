"""What the platform's network policies mean, worked out as the Kubernetes documentation says it.

A pod that no policy selects for a direction is open; one that some policy selects may do what any of them allows.
Namespaces are told apart by their labels, since cells are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class End:
    """A pod (with a namespace) or a host (without)."""

    address: str
    namespace: str | None = None
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def allowed(source: End, target: End, port: int, policies: Iterable[Policy], *, protocol: str = "TCP") -> bool:
    known = list(policies)
    return _may("Egress", source, target, port, protocol, known) and _may(
        "Ingress", target, source, port, protocol, known
    )


def _may(direction: str, me: End, other: End, port: int, protocol: str, policies: list[Policy]) -> bool:
    mine = [
        policy
        for policy in policies
        if direction in policy["spec"]["policyTypes"]
        and policy["metadata"]["namespace"] == me.namespace
        and _fits(policy["spec"]["podSelector"], me.labels)
    ]
    side, key = ("to", "egress") if direction == "Egress" else ("from", "ingress")
    return not mine or any(
        any(_is(peer, me, other) for peer in rule[side])
        and any(entry["port"] == port and entry["protocol"] == protocol for entry in rule["ports"])
        for policy in mine
        for rule in policy["spec"].get(key, [])
    )


def _is(peer: Mapping[str, Any], me: End, other: End) -> bool:
    if "ipBlock" in peer:
        if other.namespace is not None:
            return False  # a block speaks of hosts; pods are told apart by labels
        inside = [
            ipaddress.ip_network(peer["ipBlock"]["cidr"]),
            *map(ipaddress.ip_network, peer["ipBlock"].get("except", [])),
        ]
        first, *holes = [ipaddress.ip_address(other.address) in network for network in inside]
        return first and not any(holes)
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        names = {"kubernetes.io/metadata.name": other.namespace, **other.namespace_labels}
        if not _fits(peer["namespaceSelector"], names):
            return False
    elif other.namespace != me.namespace:
        return False
    return _fits(peer["podSelector"], other.labels)


def _fits(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "this evaluator knows only matchLabels"
    return (selector.get("matchLabels") or {}).items() <= labels.items()
