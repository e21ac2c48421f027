"""The ports that load balancers listen on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from typing_extensions import override

from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.naming import camelled, snaked, split_id
from toolchain.plugins.hcloud_provider.model.parts import add_part, taken
from toolchain.plugins.hcloud_provider.model.resource import Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Plain, flag, group, many, text, whole

_PROTOCOLS: Final = ("http", "https", "tcp")
_USUAL_PORT: Final = {"http": 80, "https": 443}
_GONE: Final = ("not_found", "load_balancer_target_not_found", "target_not_found", "service_not_found")
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
        if there is not None:
            raise taken(
                f"Load balancer {balancer} listens on port {port} already, with {there['protocol']}.",
                f"Choose another port, remove that service, or import it as {identity}.",
            )
        path, what = f"/load_balancers/{balancer}", f"add port {port} to load balancer {balancer}"
        add = partial(
            session.making(identity).act, f"{path}/actions/add_service", what, self._body(wish), repeatable=False
        )
        add_part(session, f"port {port}", path, there=lambda: self._find(session, balancer, port) is not None, add=add)
        return identity

    @staticmethod
    def _port(wish: Values) -> int:
        return int(wish.get("listenPort") or _USUAL_PORT[wish["protocol"]])

    def _body(self, wish: Values) -> Object:
        names = ("protocol", "destinationPort", "proxyprotocol", "http", "healthCheck")
        given = snaked({name: wish.get(name) for name in names})
        return {**given, "listen_port": self._port(wish)}

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
        session.act(f"/load_balancers/{balancer}/actions/update_service", what, self._body(wish))

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
