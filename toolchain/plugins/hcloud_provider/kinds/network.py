"""Networks, their subnets and routes."""

from __future__ import annotations

import ipaddress
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from typing_extensions import override

from clawstack.errors import NotFoundError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session, given, same_address
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.naming import split_id
from toolchain.plugins.hcloud_provider.model.parts import add_part, taken
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, flag, labels, text, whole


class Network(NamedObject):
    """A private network."""

    type_name = "hcloud:index/network:Network"
    noun, plural, key = "network", "networks", "network"
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(complaint=words.not_empty("a name")),
        "ipRange": text(required=True, replaces=True, complaint=words.private_range, same=same_address),
        "labels": labels(),
        "exposeRoutesToVswitch": flag(default=False),
        "deleteProtection": flag(default=False),
    }

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        return {"ip_range": wish["ipRange"], "expose_routes_to_vswitch": wish.get("exposeRoutesToVswitch") or None}

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        exposed = bool(found.get("expose_routes_to_vswitch"))
        return {"ipRange": found["ip_range"], "exposeRoutesToVswitch": exposed}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        super().update(session, identity, wish, live, changed)
        if "exposeRoutesToVswitch" in changed:
            body = {"expose_routes_to_vswitch": bool(wish.get("exposeRoutesToVswitch"))}
            session.change(self.path(identity), body, self.label(wish))


class _NetworkPart(Resource):
    """What is kept inside a network and has no id of its own: `<network>-<range>`."""

    one_at_a_time = True
    listed: ClassVar[str]
    """Under which key the network lists it."""
    range_key: ClassVar[str]
    adds: ClassVar[str]
    removes: ClassVar[str]

    @property
    @abstractmethod
    def range_name(self) -> str:
        """The property that tells parts of one network apart."""

    @abstractmethod
    def seen(self, part: Object) -> dict[str, Any]:
        """The part as outputs."""

    @abstractmethod
    def body(self, wish: Values) -> dict[str, Any]:
        """What is sent to add it."""

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        network, span = str(wish["networkId"]), _network(wish[self.range_name])
        identity = f"{network}-{span}"
        if self._find(session, network, span) is not None:
            raise taken(
                f"Network {network} has a {self.noun} {span} already.",
                f"Remove it, choose another range, or import it as {identity}.",
            )
        path, what = f"/networks/{network}", self.label(wish)
        add = partial(
            session.making(identity).act,
            f"{path}/actions/{self.adds}",
            f"add {what}",
            self.body(wish),
            repeatable=False,
        )
        add_part(session, what, path, there=lambda: self._find(session, network, span) is not None, add=add)
        return identity

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        network, span = split_id(identity, f"<network id>-<{self.range_name}>")
        part = self._find(session, network, _network(span))
        if part is None:
            return None
        return f"{network}-{_network(span)}", {"networkId": int(network), **self.seen(part)}

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        network, span = split_id(identity, f"<network id>-<{self.range_name}>")
        part = self._find(session, network, _network(span))
        if part is None:
            return
        body = {
            self.range_key: part[self.range_key],
            **({"gateway": part["gateway"]} if self.listed == "routes" else {}),
        }
        path = f"/networks/{network}/actions/{self.removes}"
        session.act(path, f"remove {self.noun} {span}", body, fine=["not_found"])

    def _find(self, session: Session, network: str, span: str) -> Object | None:
        found = session.get(f"/networks/{network}", "network", f"network {network}")
        parts = (found or {}).get(self.listed) or []
        return next((part for part in parts if same_address(part[self.range_key], span)), None)

    @override
    def label(self, wish: Values) -> str:
        return f"{self.noun} {wish.get(self.range_name) or ''}".rstrip()


class NetworkSubnet(_NetworkPart):
    """A subnet of a network."""

    type_name = "hcloud:index/networkSubnet:NetworkSubnet"
    noun = "subnet"
    listed, range_key, adds, removes = "subnets", "ip_range", "add_subnet", "delete_subnet"
    range_name = "ipRange"
    computed = ("gateway",)
    fields: ClassVar[Mapping[str, Field]] = {
        "networkId": whole(required=True, replaces=True),
        "type": text(required=True, replaces=True, values=("cloud", "server", "vswitch")),
        "networkZone": text(
            required=True, replaces=True, complaint=words.not_empty("a network zone such as eu-central")
        ),
        "ipRange": text(required=True, replaces=True, complaint=words.private_range, same=same_address),
        "vswitchId": whole(replaces=True),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        if wish.get("type") == "vswitch" and wish.get("vswitchId") is None:
            yield "vswitchId", "vswitchId is required when type is 'vswitch'."
        if wish.get("type") in {"cloud", "server"} and wish.get("vswitchId") not in (None, 0, UNKNOWN):
            yield "vswitchId", "vswitchId goes only with type 'vswitch'; leave it out."

    @override
    def body(self, wish: Values) -> dict[str, Any]:
        body = {"type": wish["type"], "network_zone": wish["networkZone"], "ip_range": wish["ipRange"]}
        return given({**body, "vswitch_id": wish.get("vswitchId") or None})

    @override
    def seen(self, part: Object) -> dict[str, Any]:
        told = {"type": part["type"], "networkZone": part["network_zone"], "ipRange": part["ip_range"]}
        vswitch = part.get("vswitch_id")
        return {**told, "gateway": part.get("gateway") or "", **({"vswitchId": vswitch} if vswitch else {})}


class NetworkRoute(_NetworkPart):
    """A route of a network."""

    type_name = "hcloud:index/networkRoute:NetworkRoute"
    noun = "route"
    listed, range_key, adds, removes = "routes", "destination", "add_route", "delete_route"
    range_name = "destination"
    fields: ClassVar[Mapping[str, Field]] = {
        "networkId": whole(required=True, replaces=True),
        "destination": text(required=True, replaces=True, complaint=words.network_range, same=same_address),
        "gateway": text(required=True, replaces=True, complaint=words.address, same=same_address),
    }

    @override
    def body(self, wish: Values) -> dict[str, Any]:
        return {"destination": wish["destination"], "gateway": wish["gateway"]}

    @override
    def seen(self, part: Object) -> dict[str, Any]:
        return {"destination": part["destination"], "gateway": part["gateway"]}


def subnet_of(subnet_id: str) -> tuple[int, str]:
    """Network and range that the id of a NetworkSubnet means."""
    network, span = split_id(subnet_id, "<network id>-<ip range>")
    if not network.isdigit():
        raise NotFoundError(f"{subnet_id!r} is no subnet's id.", remedy="Its form is <network id>-<ip range>.")
    return int(network), _network(span)


def within(address: str, span: str) -> bool:
    """Whether the address lies in the range."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(span, strict=False)


def _network(span: str) -> str:
    return str(ipaddress.ip_network(span, strict=False))
