"""Servers and load balancers in networks, and primary addresses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session, same_address
from toolchain.plugins.hcloud_provider.kinds.network import subnet_of
from toolchain.plugins.hcloud_provider.kinds.server_parts import join, leave, power, set_aliases, switch_off
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.naming import split_id
from toolchain.plugins.hcloud_provider.model.parts import taken
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Plain, flag, labels, many, text, whole


class _Member(Resource):
    """Something in a network; its id is `<its own>-<network>`."""

    one_at_a_time = True
    plural: ClassVar[str]
    key: ClassVar[str]
    member_name: ClassVar[str]
    """The property that names what is put into the network."""
    takes_over: ClassVar[bool]
    """Whether one that is in the network already is fine, as it is for the official provider."""

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        network, subnet = wish.get("networkId"), wish.get("subnetId")
        if network is None and subnet is None:
            yield "subnetId", "subnetId or networkId is required."
        if isinstance(network, int) and isinstance(subnet, str) and subnet_of(subnet)[0] != network:
            yield "subnetId", f"subnetId {subnet!r} is not in network {network}; give the one or the other."

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        member, network = str(wish[self.member_name]), self._network(wish)
        identity = f"{member}-{network}"
        _, net = self._find(session, member, network)
        elsewhere = net is not None and wish.get("ip") and not same_address(net["ip"], wish["ip"])
        if net is not None and (identity in known or elsewhere or not self.takes_over):
            raise taken(
                f"{self.label(wish)} is in network {network} already, as {net['ip']}.",
                f"Take it out first, or import it as {identity}.",
            )
        if net is None:
            join(session.making(identity), member, wish, kind=self.plural)
        return identity

    @staticmethod
    def _network(wish: Values) -> int:
        return int(wish["networkId"]) if wish.get("networkId") else subnet_of(wish["subnetId"])[0]

    def _find(self, session: Session, member: str, network: int) -> tuple[Object | None, Object | None]:
        found = session.get(f"/{self.plural}/{member}", self.key, f"{self.noun} {member}")
        nets = (found or {}).get("private_net") or []
        return found, next((net for net in nets if net["network"] == network), None)

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        member, network = split_id(identity, f"<{self.noun} id>-<network id>")
        found, net = self._find(session, member, int(network))
        if found is None or net is None:
            return None
        told = {self.member_name: int(member), "networkId": int(network), "ip": net["ip"]}
        subnet = {"subnetId": wish["subnetId"]} if wish.get("subnetId") else {}
        return f"{member}-{network}", {**told, **subnet, **self.seen(found, net)}

    @abstractmethod
    def seen(self, found: Object, net: Object) -> dict[str, Any]:
        """What only this kind tells."""

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        member, network = split_id(identity, f"<{self.noun} id>-<network id>")
        if self._find(session, member, int(network))[1] is not None:
            leave(session, member, network, kind=self.plural)

    @override
    def label(self, wish: Values) -> str:
        return f"{self.noun} {wish.get(self.member_name)}"


_PLACE = {
    "networkId": whole(computed=True, replaces=True),
    "subnetId": text(replaces=True),
    "ip": text(computed=True, replaces=True, complaint=words.address, same=same_address),
}


class ServerNetwork(_Member):
    """A server in a network."""

    type_name = "hcloud:index/serverNetwork:ServerNetwork"
    noun, plural, key, member_name = "server", "servers", "server", "serverId"
    takes_over = True
    computed = ("macAddress",)
    fields: ClassVar[Mapping[str, Field]] = {
        "serverId": whole(required=True, replaces=True),
        **_PLACE,
        "aliasIps": many(Plain.TEXT),
    }

    @override
    def seen(self, found: Object, net: Object) -> dict[str, Any]:
        return {"aliasIps": net.get("alias_ips") or [], "macAddress": net.get("mac_address") or ""}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        if "aliasIps" in changed:
            member, network = split_id(identity, "<server id>-<network id>")
            set_aliases(session, member, network, wish.get("aliasIps") or [])


class LoadBalancerNetwork(_Member):
    """A load balancer in a network."""

    type_name = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
    noun, plural, key, member_name = "load balancer", "load_balancers", "load_balancer", "loadBalancerId"
    takes_over = False
    fields: ClassVar[Mapping[str, Field]] = {
        "loadBalancerId": whole(required=True, replaces=True),
        **_PLACE,
        "enablePublicInterface": flag(default=True),
    }

    @override
    def seen(self, found: Object, net: Object) -> dict[str, Any]:
        return {"enablePublicInterface": bool((found.get("public_net") or {}).get("enabled"))}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        if "enablePublicInterface" in changed:
            verb = "enable" if wish.get("enablePublicInterface") else "disable"
            member, _ = split_id(identity, "<load balancer id>-<network id>")
            path = f"/load_balancers/{member}/actions/{verb}_public_interface"
            session.act(path, f"{verb} the public interface of load balancer {member}")


class PrimaryIp(NamedObject):
    """A public address that outlives its server."""

    type_name = "hcloud:index/primaryIp:PrimaryIp"
    noun, plural, key = "primary IP", "primary_ips", "primary_ip"
    computed = ("ipAddress", "ipNetwork")
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "type": text(required=True, replaces=True, values=("ipv4", "ipv6")),
        "location": text(computed=True, replaces=True),
        "datacenter": text(computed=True, replaces=True),
        "assigneeId": whole(computed=True),
        "assigneeType": text(computed=True, values=("server",)),
        "autoDelete": flag(computed=True),
        "labels": labels(),
        "deleteProtection": flag(default=False),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        places = [name for name in ("location", "datacenter", "assigneeId") if wish.get(name) is not None]
        if not before and len(places) != 1 and UNKNOWN not in [wish.get(name) for name in places]:
            yield "location", "exactly one of location, datacenter and assigneeId must be given."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {
            "type": wish["type"],
            "location": wish.get("location"),
            "datacenter": wish.get("datacenter"),
            "assignee_id": wish.get("assigneeId") or None,
            "assignee_type": wish.get("assigneeType") or "server",
            "auto_delete": bool(wish.get("autoDelete")),
        }

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        datacenter = found.get("datacenter") or {}
        location = found.get("location") or datacenter.get("location") or {}
        told = {
            "type": found["type"],
            "location": location.get("name"),
            "datacenter": datacenter.get("name"),
            "assigneeId": found.get("assignee_id") or 0,
            "assigneeType": found.get("assignee_type") or "server",
            "autoDelete": bool(found.get("auto_delete")),
            "ipAddress": str(found["ip"]).partition("/")[0],
            "ipNetwork": found["ip"] if found["type"] == "ipv6" else None,
        }
        return {name: value for name, value in told.items() if value is not None}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, changed)
        if "autoDelete" in changed:
            session.change(self.path(identity), {"auto_delete": bool(wish.get("autoDelete"))}, self.label(wish))
        if "assigneeId" in changed:
            if live.get("assigneeId"):
                self._unassign(session, identity, live["assigneeId"])
            if wish.get("assigneeId"):
                body = {"assignee_id": wish["assigneeId"], "assignee_type": "server"}
                session.act(f"{self.path(identity)}/actions/assign", f"assign {self.label(wish)}", body)

    def _unassign(self, session: Session, identity: str, server: int) -> None:
        """Hetzner takes an address only from a server that is off; it is on again afterwards if it was."""
        found = session.get(f"/servers/{server}", "server", f"server {server}") or {}
        was_on = found.get("status") == "running"
        if was_on:
            switch_off(session, str(server))
        fine = ["primary_ip_not_assigned", "not_found"]
        session.act(f"{self.path(identity)}/actions/unassign", f"take primary IP {identity} off", fine=fine)
        if was_on:
            power(session, str(server), on=True)

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        found = session.get(self.path(identity), self.key, f"primary IP {identity}")
        if found is None:
            return
        if found.get("assignee_id") and not (found.get("protection") or {}).get("delete"):
            self._unassign(session, identity, found["assignee_id"])
        super().delete(session, identity, state)
