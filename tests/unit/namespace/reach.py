"""What network policies mean, worked out as the Kubernetes documentation says it: may this peer talk to that one?

A pod that no policy selects for a direction is open; one that some policy selects may do what any of them allows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A pod (with a namespace) or a host outside the cluster (without)."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def may_reach(source: Place, target: Place, port: int, policies: Iterable[Policy], *, protocol: str = "TCP") -> bool:
    known = list(policies)
    return _allowed("egress", source, target, port, protocol, known) and _allowed(
        "ingress", target, source, port, protocol, known
    )


def _allowed(direction: str, me: Place, other: Place, port: int, protocol: str, policies: list[Policy]) -> bool:
    mine = [policy for policy in policies if _selects(policy, me, direction)]
    if not mine:
        return True
    own = str(mine[0]["metadata"]["namespace"])
    side = "to" if direction == "egress" else "from"
    rules = [rule for policy in mine for rule in policy["spec"].get(direction) or []]
    return any(
        _peers_match(rule.get(side), own, other) and _port_matches(rule.get("ports"), port, protocol) for rule in rules
    )


def _selects(policy: Policy, place: Place, direction: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return (
        direction.capitalize() in types
        and place.namespace == policy["metadata"]["namespace"]
        and _labels_match(spec["podSelector"], place.labels)
    )


def _labels_match(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "this evaluator knows only matchLabels"
    return (selector.get("matchLabels") or {}).items() <= labels.items()


def _peers_match(peers: list[dict[str, Any]] | None, own_namespace: str, other: Place) -> bool:
    if not peers:
        return True  # no list, or an empty one, means everybody
    return any(_peer_matches(peer, own_namespace, other) for peer in peers)


def _peer_matches(peer: Mapping[str, Any], own_namespace: str, other: Place) -> bool:
    if "ipBlock" in peer:
        # A block of addresses speaks about hosts outside; pods are told apart by labels.
        inside = ipaddress.ip_address(other.address) in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return inside and not any(
            ipaddress.ip_address(other.address) in ipaddress.ip_network(hole)
            for hole in peer["ipBlock"].get("except", [])
        )
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        names = {"kubernetes.io/metadata.name": other.namespace}
        if not _labels_match(peer["namespaceSelector"], names):
            return False
    elif other.namespace != own_namespace:
        return False
    return _labels_match(peer.get("podSelector") or {}, other.labels)


def _port_matches(ports: list[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    if not ports:
        return True
    return any(
        entry.get("protocol", "TCP") == protocol
        and entry.get("port", port) <= port <= entry.get("endPort", entry.get("port", port))
        for entry in ports
    )
