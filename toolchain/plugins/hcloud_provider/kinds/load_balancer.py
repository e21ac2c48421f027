"""Load balancers, their services and targets."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final

from typing_extensions import override

from clawstack.errors import ConflictError, InvalidInputError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider import words
from toolchain.plugins.hcloud_provider.api import Object
from toolchain.plugins.hcloud_provider.checking import Reason
from toolchain.plugins.hcloud_provider.naming import camelled, snaked, split_id
from toolchain.plugins.hcloud_provider.resource import NamedObject, Resource, Values
from toolchain.plugins.hcloud_provider.session import Session
from toolchain.plugins.hcloud_provider.shapes import Field, Group, Plain, flag, group, labels, many, text, whole

_PROTOCOLS: Final = ("http", "https", "tcp")
_USUAL_PORT: Final = {"http": 80, "https": 443}
_GONE: Final = ("not_found", "load_balancer_target_not_found", "target_not_found", "service_not_found")


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
            "targets": [_target(target) for target in wish.get("targets") or []] or None,
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
            seen = [_target_seen(target) for target in found.get("targets") or [] if target["type"] == "server"]
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
            old = [_target(target) for target in live.get("targets") or []]
            new = [_target(target) for target in wish.get("targets") or []]
            for target in old:
                if target not in new:
                    remove_target(session, identity, target)
            for target in new:
                if target not in old:
                    add_target(session, identity, target)


_HEALTH_HTTP: Final[Mapping[str, Field]] = {
    "domain": text(computed=True),
    "path": text(computed=True),
    "response": text(computed=True),
    "statusCodes": many(Plain.TEXT, computed=True),
    "tls": flag(computed=True),
}
_PORT: Final = {"complaint": words.port}


class LoadBalancerService(Resource):
    """A port that a load balancer listens on; its id is `<load balancer>__<port>`."""

    type_name = "hcloud:index/loadBalancerService:LoadBalancerService"
    noun = "load balancer service"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "loadBalancerId": text(required=True, replaces=True),
        "protocol": text(required=True, replaces=True, values=_PROTOCOLS),
        "listenPort": whole(computed=True, replaces=True, **_PORT),
        "destinationPort": whole(computed=True, **_PORT),
        "proxyprotocol": flag(computed=True),
        "http": group(
            {
                "stickySessions": flag(computed=True),
                "cookieName": text(computed=True),
                "cookieLifetime": whole(computed=True),
                "certificates": many(Plain.WHOLE, computed=True),
                "redirectHttp": flag(computed=True),
                "timeoutIdle": whole(computed=True),
            },
            computed=True,
        ),
        "healthCheck": group(
            {
                "protocol": text(required=True, values=_PROTOCOLS),
                "port": whole(required=True, **_PORT),
                "interval": whole(required=True, complaint=words.between(3, 60)),
                "timeout": whole(required=True, complaint=words.between(1, 60)),
                "retries": whole(computed=True, complaint=words.between(0, 5)),
                "http": group(_HEALTH_HTTP, computed=True),
            },
            computed=True,
        ),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        if wish.get("protocol") == "tcp":
            for name in ("listenPort", "destinationPort"):
                if wish.get(name) is None:
                    yield name, f"{name} is required when protocol is 'tcp'."
            if wish.get("http") is not None:
                yield "http", "http goes only with the protocols 'http' and 'https'; leave it out."
        certificates = (wish.get("http") or {}).get("certificates") if isinstance(wish.get("http"), Mapping) else None
        if wish.get("protocol") == "https" and not certificates and wish.get("http") is not UNKNOWN:
            yield "http.certificates", "http.certificates must name at least one certificate when protocol is 'https'."

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        balancer, port = str(wish["loadBalancerId"]), self._port(wish)
        identity = f"{balancer}__{port}"
        there = self._find(session, balancer, port)
        if there is None:
            what = f"add port {port} to load balancer {balancer}"
            session.act(f"/load_balancers/{balancer}/actions/add_service", what, self._body(wish))
        elif identity in known or there["protocol"] != wish["protocol"]:
            raise ConflictError(
                f"Load balancer {balancer} listens on port {port} already, with {there['protocol']}.",
                code="hetzner_name_taken",
                remedy=f"Choose another port, remove that service, or import it as {identity}.",
            )
        return identity

    @staticmethod
    def _port(wish: Values) -> int:
        return int(wish.get("listenPort") or _USUAL_PORT[wish["protocol"]])

    def _body(self, wish: Values) -> Object:
        names = ("protocol", "destinationPort", "http", "healthCheck")
        given = snaked({name: wish.get(name) for name in names})
        return {**given, "listen_port": self._port(wish), "proxyprotocol": bool(wish.get("proxyprotocol"))}

    @staticmethod
    def _find(session: Session, balancer: str, port: int) -> Object | None:
        found = session.get(f"/load_balancers/{balancer}", "load_balancer", f"load balancer {balancer}")
        return next((entry for entry in (found or {}).get("services") or [] if entry["listen_port"] == port), None)

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        balancer, port = split_id(identity, "<load balancer id>__<listen port>", separator="__")
        found = self._find(session, balancer, int(port))
        if found is None:
            return None
        told = camelled({name: value for name, value in found.items() if name not in {"http", "health_check"}})
        if found["protocol"] != "tcp" and found.get("http"):
            told["http"] = camelled(found["http"])
        if found.get("health_check"):
            check = camelled(found["health_check"])
            if check.get("protocol") == "tcp":
                check.pop("http", None)
            told["healthCheck"] = check
        return identity, {"loadBalancerId": balancer, **told}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        balancer, port = split_id(identity, "<load balancer id>__<listen port>", separator="__")
        what = f"change port {port} of load balancer {balancer}"
        session.act(f"/load_balancers/{balancer}/actions/update_service", what, self._body({**live, **wish}))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        balancer, port = split_id(identity, "<load balancer id>__<listen port>", separator="__")
        if self._find(session, balancer, int(port)) is not None:
            what = f"remove port {port} from load balancer {balancer}"
            path = f"/load_balancers/{balancer}/actions/delete_service"
            session.act(path, what, {"listen_port": int(port)}, fine=_GONE)

    @override
    def label(self, wish: Values) -> str:
        return f"port {wish.get('listenPort') or ''} of load balancer {wish.get('loadBalancerId')}"


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
            raise ConflictError(
                f"{self.label(wish)} is a target already.",
                code="hetzner_name_taken",
                remedy="Name each target once.",
            )
        add_target(session, str(wish["loadBalancerId"]), _target(wish))
        return identity

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        wanted = wish if wish.get("loadBalancerId") else _target_of(identity)
        balancer = str(wanted["loadBalancerId"])
        found = session.get(f"/load_balancers/{balancer}", "load_balancer", f"load balancer {balancer}") or {}
        for target in found.get("targets") or []:
            seen = {"loadBalancerId": int(balancer), **_target_seen(target)}
            if _target_id(seen) == _target_id(wanted):
                return _target_id(seen), seen
        return None

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        balancer = str(wish["loadBalancerId"])
        remove_target(session, balancer, _target(live))
        add_target(session, balancer, _target(wish))

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        wanted = state if state.get("loadBalancerId") else _target_of(identity)
        if self.read(session, identity, wanted) is not None:
            remove_target(session, str(wanted["loadBalancerId"]), _target(wanted))

    @override
    def label(self, wish: Values) -> str:
        return f"target {wish.get(self._named_by.get(str(wish.get('type')), ''))} of load balancer {wish.get('loadBalancerId')}"


def _target(values: Values) -> Object:
    """As the API wants it named."""
    match values["type"]:
        case "server":
            named: Object = {"server": {"id": values["serverId"]}}
        case "label_selector":
            named = {"label_selector": {"selector": values["labelSelector"]}}
        case _:
            return {"type": "ip", "ip": {"ip": values["ip"]}}
    return {"type": values["type"], **named, "use_private_ip": bool(values.get("usePrivateIp"))}


def _target_seen(target: Object) -> dict[str, Any]:
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
