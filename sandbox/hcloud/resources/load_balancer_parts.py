"""Services and targets of load balancers: read, checked, shown. Source: docs.hetzner.cloud, load balancers."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.load_balancer_types import LOAD_BALANCER_TYPES
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Call
from sandbox.hcloud.requests.labels import parsed_selector
from sandbox.hcloud.resources.primary_ips import assigned_to

_PROTOCOLS: Final = ("tcp", "http", "https")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HTTP: Final = {
    "cookie_name": "HCLBSTICKY",
    "cookie_lifetime": 300,
    "certificates": [],
    "redirect_http": False,
    "sticky_sessions": False,
    "timeout_idle": 60,
}
_HEALTH_HTTP: Final = {"domain": "", "path": "/", "response": "", "tls": False, "status_codes": ["2??", "3??"]}
TARGET_TYPES: Final = ("server", "label_selector", "ip")


def port(body: Json, field: str, default: int = 0) -> int:
    """Return a port. Raises invalid_input."""
    if body.get(field) is None and default:
        return default
    return fields.integer(body, field, least=1, most=65535)


def service(call: Call, body: Json, *, before: Json | None = None) -> Json:
    """Return a service in full; what the body leaves out stays as `before`, or is the original's default."""
    old = before or {}
    protocol = fields.choice(body, "protocol", _PROTOCOLS, default=old.get("protocol", ""))
    listen = port(body, "listen_port", old.get("listen_port", _DEFAULT_PORTS.get(protocol, 0)))
    destination = port(body, "destination_port", old.get("destination_port", 80 if protocol != "tcp" else 0))
    row = {
        "protocol": protocol,
        "listen_port": listen,
        "destination_port": destination,
        "proxyprotocol": fields.boolean(body, "proxyprotocol", default=old.get("proxyprotocol", False)),
        "health_check": _health_check(body, old, protocol=protocol, destination=destination),
    }
    if protocol != "tcp":
        row["http"] = {**_HTTP, **old.get("http", {}), **_given(fields.mapping(body, "http"))}
        _check_certificates(call, row)
    return row


def _health_check(body: Json, old: Json, *, protocol: str, destination: int) -> Json:
    plain = "tcp" if protocol == "tcp" else "http"
    start = old.get("health_check") or {
        "protocol": plain,
        "port": destination,
        "interval": 15,
        "timeout": 10,
        "retries": 3,
    }
    given = _given(fields.mapping(body, "health_check"))
    row: Json = {**start, **given}
    if row["protocol"] not in _PROTOCOLS:
        raise invalid("health_check.protocol", f"must be one of {', '.join(_PROTOCOLS)}")
    if row["protocol"] == "tcp":
        row.pop("http", None)
    else:
        row["http"] = {**_HEALTH_HTTP, **start.get("http", {}), **_given(given.get("http", {}))}
    return row


def _given(body: Json) -> Json:
    return {key: value for key, value in body.items() if value is not None}


def _check_certificates(call: Call, row: Json) -> None:
    numbers = fields.items(row["http"], "certificates")
    for number in numbers:
        call.project.get("certificates", number)
    if row["protocol"] == "https" and not numbers:
        raise invalid("http.certificates", "https needs at least one certificate")


def check_services(load_balancer_type: str, services: list[Json]) -> None:
    """Raise when there are too many services or two on one port."""
    most = LOAD_BALANCER_TYPES[load_balancer_type]["max_services"]
    if len(services) > most:
        raise ApiError("resource_limit_exceeded", f"{load_balancer_type} has at most {most} services")
    ports = [one["listen_port"] for one in services]
    if twice := sorted({one for one in ports if ports.count(one) > 1}):
        raise ApiError("source_port_already_used", f"port {twice[0]} is already in use")


def target(call: Call, body: Json, balancer: Json) -> Json:
    """Return a target in full. Raises what the original refuses."""
    kind = fields.choice(body, "type", TARGET_TYPES)
    private = fields.boolean(body, "use_private_ip", default=False)
    if private and not balancer["private_net"]:
        raise ApiError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network")
    if kind == "ip":
        return {"type": "ip", "ip": {"ip": _foreign_ip(call, fields.text(fields.mapping(body, "ip"), "ip"))}}
    if kind == "label_selector":
        selector = fields.text(fields.mapping(body, "label_selector"), "selector")
        parsed_selector(selector)
        return {"type": kind, "label_selector": {"selector": selector}, "use_private_ip": private}
    server = call.project.get("servers", fields.mapping(body, "server").get("id"))
    _check_server(call, server, balancer, private=private)
    return {"type": kind, "server": {"id": server["id"]}, "use_private_ip": private}


def _check_server(call: Call, server: Json, balancer: Json, *, private: bool) -> None:
    if private:
        homes = {one["network"] for one in balancer["private_net"]}
        if not homes & {one["network"] for one in server["private_net"]}:
            raise ApiError("server_not_attached_to_network", "server and load balancer are in different networks")
    elif "ipv4" not in assigned_to(call.project, "server", server["id"]):
        raise ApiError("missing_ipv4", "the server has no public IPv4 address")


def _foreign_ip(call: Call, address: str) -> str:
    """Targets by address are the owner's machines outside of the cloud (Robot); the control API says which there are."""
    if any(row["ip"] == address for row in call.project.rows("primary_ips")):
        raise ApiError("cloud_resource_ip_not_allowed", f"{address} belongs to a cloud resource")
    if address not in call.world.owned_ips:
        raise ApiError("ip_not_owned", f"{address} is not owned by the project's owner")
    return address


def check_targets(load_balancer_type: str, targets: list[Json]) -> None:
    """Raise when there are too many targets or one twice."""
    most = LOAD_BALANCER_TYPES[load_balancer_type]["max_targets"]
    if len(targets) > most:
        raise ApiError("resource_limit_exceeded", f"{load_balancer_type} has at most {most} targets")
    seen = [identity(one) for one in targets]
    if len(set(seen)) < len(seen):
        raise ApiError("target_already_defined", "the target is already defined")


def named_target(body: Json) -> tuple[str, str]:
    """Return which target a body means. Raises invalid_input."""
    kind = fields.choice(body, "type", TARGET_TYPES)
    key = {"server": "id", "label_selector": "selector", "ip": "ip"}[kind]
    named = fields.mapping(body, kind).get(key)
    if named is None:
        raise invalid(f"{kind}.{key}", "is required")
    return kind, str(named)


def identity(one: Json) -> tuple[str, str]:
    """Return what makes a target the same as another."""
    kind = str(one["type"])
    return kind, str(next(iter(one[kind].values())))


def show_target(project: Project, one: Json, services: list[Json]) -> Json:
    """Return a target with its health: a server that runs is healthy on every port."""
    if one["type"] == "label_selector":
        fits = parsed_selector(one["label_selector"]["selector"])
        chosen = [row for row in project.rows("servers") if fits(row["labels"])]
        inner = [
            {"type": "server", "server": {"id": row["id"]}, "use_private_ip": one["use_private_ip"]} for row in chosen
        ]
        return {**one, "targets": [show_target(project, each, services) for each in inner]}
    server = project.find("servers", one["server"]["id"]) if one["type"] == "server" else None
    runs = server is None or server["status"] == "running"
    health = [{"listen_port": each["listen_port"], "status": "healthy" if runs else "unhealthy"} for each in services]
    return {**one, "health_status": health}
