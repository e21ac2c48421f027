"""Load balancers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.kinds.load_balancer_target import (
    add_target,
    remove_target,
    target_body,
    target_told,
)
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, flag, group, labels, many, text, whole


class LoadBalancer(NamedObject):
    """A load balancer."""

    type_name = "hcloud:index/loadBalancer:LoadBalancer"
    noun, plural, key = "load balancer", "load_balancers", "load_balancer"
    computed = ("ipv4", "ipv6", "networkId", "networkIp")
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "loadBalancerType": text(required=True, complaint=words.not_empty("a type such as lb11")),
        "location": text(computed=True, replaces=True),
        "networkZone": text(computed=True, replaces=True),
        "algorithm": group({"type": text(computed=True, values=("round_robin", "least_connections"))}, computed=True),
        "labels": labels(),
        "targets": many(
            Group(
                fields={"type": text(required=True, values=("server",)), "serverId": whole(), "usePrivateIp": flag()}
            ),
            computed=True,
        ),
        "ipv4Id": whole(computed=True, replaces=True),
        "ipv6Id": whole(computed=True, replaces=True),
        "deleteProtection": flag(default=False),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        if not before and wish.get("location") is None and wish.get("networkZone") is None:
            yield "location", "location or networkZone is required."
        for name in ("ipv4Id", "ipv6Id"):
            if wish.get(name):
                yield name, f"{name} is not served by the offline plugin; leave it out, or install the official one."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {
            "load_balancer_type": wish["loadBalancerType"],
            "algorithm": {"type": (wish.get("algorithm") or {}).get("type") or "round_robin"},
            "location": wish.get("location"),
            "network_zone": wish.get("networkZone") if not wish.get("location") else None,
            "public_interface": True,
            "targets": [target_body(target) for target in wish.get("targets") or []] or None,
        }

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        public, location = found.get("public_net") or {}, found.get("location") or {}
        told: dict[str, Any] = {
            "loadBalancerType": found["load_balancer_type"]["name"],
            "location": location.get("name"),
            "networkZone": location.get("network_zone"),
            "algorithm": {"type": (found.get("algorithm") or {}).get("type")},
            "ipv4": (public.get("ipv4") or {}).get("ip") or "",
            "ipv6": (public.get("ipv6") or {}).get("ip") or "",
        }
        if wish.get("targets"):
            seen = [target_told(target) for target in found.get("targets") or [] if target["type"] == "server"]
            told["targets"] = seen
        net = next(iter(found.get("private_net") or []), None)
        if net:
            told |= {"networkId": net["network"], "networkIp": net["ip"]}
        return {name: value for name, value in told.items() if value is not None}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, changed)
        base, label = f"{self.path(identity)}/actions", self.label(wish)
        if "loadBalancerType" in changed:
            body: Object = {"load_balancer_type": wish["loadBalancerType"]}
            session.act(f"{base}/change_type", f"change {label} to {wish['loadBalancerType']}", body)
        if "algorithm" in changed:
            session.act(f"{base}/change_algorithm", f"change the algorithm of {label}", dict(wish["algorithm"]))
        if "targets" in changed:
            old = [target_body(target) for target in live.get("targets") or []]
            new = [target_body(target) for target in wish.get("targets") or []]
            for target in old:
                if target not in new:
                    remove_target(session, identity, target)
            for target in new:
                if target not in old:
                    add_target(session, identity, target)
