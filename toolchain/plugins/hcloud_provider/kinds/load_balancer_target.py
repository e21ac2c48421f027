"""What load balancers send to."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final

from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.naming import split_id
from toolchain.plugins.hcloud_provider.model.parts import taken
from toolchain.plugins.hcloud_provider.model.resource import Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, flag, text, whole

_GONE: Final = ("not_found", "load_balancer_target_not_found", "target_not_found", "service_not_found")


class LoadBalancerTarget(Resource):
    """Where a load balancer sends to."""

    type_name = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
    noun = "load balancer target"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "loadBalancerId": whole(required=True, replaces=True),
        "type": text(required=True, replaces=True, values=("server", "label_selector", "ip")),
        "serverId": whole(replaces=True),
        "labelSelector": text(replaces=True),
        "ip": text(replaces=True, complaint=words.address),
        "usePrivateIp": flag(computed=True),
    }
    _named_by: Final = {"server": "serverId", "label_selector": "labelSelector", "ip": "ip"}

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        kind = wish.get("type")
        for name, prop in self._named_by.items():
            if kind == name and wish.get(prop) is None:
                yield prop, f"{prop} is required when type is {kind!r}."
            if kind in self._named_by and kind != name and wish.get(prop) is not None:
                yield prop, f"{prop} does not go with type {kind!r}; leave it out."
        if kind == "ip" and wish.get("usePrivateIp") not in (None, UNKNOWN, False):
            yield "usePrivateIp", "usePrivateIp does not go with type 'ip'; leave it out."

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        identity = _target_id(wish)
        if identity in known:
            raise taken(f"{self.label(wish)} is a target already.", "Name each target once.")
        add_target(session.making(identity), str(wish["loadBalancerId"]), target_body(wish))
        return identity

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        wanted = wish if wish.get("loadBalancerId") else _target_of(identity)
        balancer = str(wanted["loadBalancerId"])
        found = session.get(f"/load_balancers/{balancer}", "load_balancer", f"load balancer {balancer}") or {}
        for target in found.get("targets") or []:
            seen = {"loadBalancerId": int(balancer), **target_told(target)}
            if _target_id(seen) == _target_id(wanted):
                return _target_id(seen), seen
        return None

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        balancer = str(wish["loadBalancerId"])
        remove_target(session, balancer, target_body(live))
        add_target(session, balancer, target_body(wish))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        wanted = state if state.get("loadBalancerId") else _target_of(identity)
        if self.read(session, identity, wanted) is not None:
            remove_target(session, str(wanted["loadBalancerId"]), target_body(wanted))

    @override
    def label(self, wish: Values) -> str:
        return f"target {wish.get(self._named_by.get(str(wish.get('type')), ''))} of load balancer {wish.get('loadBalancerId')}"


def target_body(values: Values) -> Object:
    """As the API wants it named."""
    match values["type"]:
        case "server":
            named: Object = {"server": {"id": values["serverId"]}}
        case "label_selector":
            named = {"label_selector": {"selector": values["labelSelector"]}}
        case _:
            return {"type": "ip", "ip": {"ip": values["ip"]}}
    return {"type": values["type"], **named, "use_private_ip": bool(values.get("usePrivateIp"))}


def target_told(target: Object) -> dict[str, Any]:
    """The API's target as outputs."""
    told: dict[str, Any] = {"type": target["type"], "usePrivateIp": bool(target.get("use_private_ip"))}
    match target["type"]:
        case "server":
            return {**told, "serverId": target["server"]["id"]}
        case "label_selector":
            return {**told, "labelSelector": target["label_selector"]["selector"]}
        case _:
            return {**told, "ip": target["ip"]["ip"]}


def add_target(session: Session, balancer: str, target: Object) -> None:
    """Send to it; what is a target already is fine."""
    path = f"/load_balancers/{balancer}/actions/add_target"
    session.act(path, f"add a target to load balancer {balancer}", target, fine=["target_already_defined"])


def remove_target(session: Session, balancer: str, target: Object) -> None:
    """Send to it no longer; what is no target is fine."""
    body = {name: value for name, value in target.items() if name != "use_private_ip"}
    path = f"/load_balancers/{balancer}/actions/remove_target"
    session.act(path, f"remove a target from load balancer {balancer}", body, fine=_GONE)


def _target_id(values: Values) -> str:
    """As the official provider makes them."""
    balancer = values["loadBalancerId"]
    match values["type"]:
        case "server":
            return f"lb-srv-tgt-{values['serverId']}-{balancer}"
        case "label_selector":
            return f"lb-label-selector-tgt-{_digest(values['labelSelector'])}-{balancer}"
        case _:
            return f"lb-ip-tgt-{_digest(values['ip'])}-{balancer}"


def _target_of(identity: str) -> Values:
    """What an id given to import means."""
    form = "<load balancer id>__<server|label_selector|ip>__<server id, selector or address>"
    balancer, rest = split_id(identity, form, separator="__")
    kind, name = split_id(rest, form, separator="__")
    prop = LoadBalancerTarget._named_by.get(kind)  # noqa: SLF001 - the same module
    if prop is None or not balancer.isdigit():
        raise InvalidInputError(f"{identity!r} is no such id.", remedy=f"Its form is {form}.")
    return {"loadBalancerId": int(balancer), "type": kind, prop: int(name) if kind == "server" else name}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
