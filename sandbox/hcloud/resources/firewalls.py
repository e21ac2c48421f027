"""Firewalls: rules, and the servers that they hold for, named one by one or chosen by label."""

import ipaddress
import re
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.requests.labels import parsed_selector
from sandbox.hcloud.resources.common import Kind, kind_routes, new_row
from sandbox.hcloud.resources.primary_ips import assigned_to

MOST_RULES: Final = 50
MOST_PER_SERVER: Final = 5
MOST_ADDRESSES: Final = 100  # per rule
_PROTOCOLS: Final = ("tcp", "udp", "icmp", "esp", "gre")
_PORT: Final = re.compile(r"any|(\d{1,5})(?:-(\d{1,5}))?")
_HIGHEST_PORT: Final = 65535


def of_server(project: Project, server: Json) -> list[Json]:
    """Return the firewalls that hold for a server, with their status."""
    holding = [row["id"] for row in project.rows("firewalls") if holds(row, server)]
    return [{"id": number, "status": "applied"} for number in holding]


def holds(row: Json, server: Json) -> bool:
    """Tell whether a firewall is applied to a server, by name or by label."""
    return any(_chooses(one, server) for one in row["applied_to"])


def _chooses(resource: Json, server: Json) -> bool:
    if resource["type"] == "server":
        return bool(resource["server"]["id"] == server["id"])
    return parsed_selector(resource["label_selector"]["selector"])(server["labels"])


def check_count(count: int) -> None:
    """Raise when a server would have too many."""
    if count > MOST_PER_SERVER:
        raise ApiError("resource_limit_exceeded", f"at most {MOST_PER_SERVER} firewalls per server")


def show(call: Call, row: Json) -> Json:
    """Return a firewall; a label selector tells which servers it chooses."""
    applied = []
    for one in row["applied_to"]:
        shown = dict(one)
        if one["type"] == "label_selector":
            chosen = [server["id"] for server in call.project.rows("servers") if _chooses(one, server)]
            shown["applied_to_resources"] = [{"type": "server", "server": {"id": number}} for number in chosen]
        applied.append(shown)
    return {**row, "applied_to": applied}


def checked_rules(rules: list[Any]) -> list[Json]:
    """Return rules in full. Raises invalid_input naming the rule and what is wrong with it."""
    if len(rules) > MOST_RULES:
        raise invalid("rules", f"at most {MOST_RULES} rules")
    return [_rule(rule, f"rules.{place}") for place, rule in enumerate(rules)]


def _rule(rule: Json, where: str) -> Json:
    direction = rule.get("direction")
    if direction not in ("in", "out"):
        raise invalid(f"{where}.direction", "must be in or out")
    if (protocol := rule.get("protocol")) not in _PROTOCOLS:
        raise invalid(f"{where}.protocol", f"must be one of {', '.join(_PROTOCOLS)}")
    sources = _addresses(rule.get("source_ips"), f"{where}.source_ips", needed=direction == "in")
    destinations = _addresses(rule.get("destination_ips"), f"{where}.destination_ips", needed=direction == "out")
    return {
        "description": rule.get("description"),
        "direction": direction,
        "protocol": protocol,
        "port": _port(rule.get("port"), f"{where}.port", needed=protocol in {"tcp", "udp"}),
        "source_ips": sources,
        "destination_ips": destinations,
    }


def _addresses(values: object, where: str, *, needed: bool) -> list[str]:
    given = values or []
    if not isinstance(given, list) or len(given) > MOST_ADDRESSES:
        raise invalid(where, f"must be a list of at most {MOST_ADDRESSES} ranges")
    if needed and not given:
        raise invalid(where, "is required for this direction")
    if given and not needed:
        raise invalid(where, "must be empty for this direction")
    for text in given:
        try:
            ipaddress.ip_network(str(text))
        except ValueError as error:
            raise invalid(where, f"{text!r} is not a CIDR block: {error}") from error
    return [str(text).lower() for text in given]


def _port(value: object, where: str, *, needed: bool) -> str | None:
    if not needed:
        if value not in (None, ""):
            raise invalid(where, "is only allowed for tcp and udp")
        return None
    found = _PORT.fullmatch(str(value))
    if found is None:
        raise invalid(where, "must be a port, a range such as 80-85, or any")
    first, last = int(found[1] or 1), int(found[2] or found[1] or 1)
    if not 1 <= first <= last <= _HIGHEST_PORT:
        raise invalid(where, "must lie between 1 and 65535, the lower port first")
    return str(value)


def _resources(call: Call, field: str) -> list[Json]:
    wishes = fields.objects(call.body, field)
    return [_resource(call, wish, f"{field}.{place}") for place, wish in enumerate(wishes)]


def _resource(call: Call, wish: Json, where: str) -> Json:
    if wish.get("type") == "server":
        number = fields.mapping(wish, "server").get("id")
        if (row := call.project.find("servers", number)) is None:
            raise ApiError("firewall_resource_not_found", f"server with ID '{number}' not found", status=404)
        return {"type": "server", "server": {"id": row["id"]}}
    if wish.get("type") == "label_selector":
        selector = fields.text(fields.mapping(wish, "label_selector"), "selector")
        parsed_selector(selector)
        return {"type": "label_selector", "label_selector": {"selector": selector}}
    raise invalid(f"{where}.type", "must be server or label_selector")


def _create(call: Call) -> Answer:
    row = new_row(call, "firewalls", name=fields.text(call.body, "name"))
    row |= {"rules": checked_rules(fields.objects(call.body, "rules")), "applied_to": []}
    wishes = _resources(call, "apply_to")
    _check_servers(call, row, wishes)
    call.project.check_quota("firewalls")
    row["applied_to"] = wishes
    call.project.add("firewalls", row)
    actions = [call.start("set_firewall_rules", [("firewalls", row["id"])])] if row["rules"] else []
    actions += [_applying(call, "apply_firewall", row, one) for one in wishes]
    return KIND.answer(call, row, 201, actions=actions)


def _check_servers(call: Call, row: Json, wishes: list[Json]) -> None:
    for one in wishes:
        if one in row["applied_to"] or wishes.count(one) > 1:
            raise ApiError("firewall_already_applied", "firewall is already applied to the resource", status=409)
        if one["type"] == "server":
            server = call.project.get("servers", one["server"]["id"])
            check_count(len(of_server(call.project, server)) + 1)
            if not assigned_to(call.project, "server", server["id"]):
                raise ApiError("private_net_only_server", "the server has no public interface")


def _applying(call: Call, command: str, row: Json, resource: Json, *, effects: list[Json] | None = None) -> Json:
    locks = [("firewalls", row["id"])]
    targets = [*locks, *([("servers", resource["server"]["id"])] if resource["type"] == "server" else [])]
    return call.start(command, targets, locks=locks, effects=effects or [])


def _delete(call: Call) -> Answer:
    row = call.free("firewalls")
    if row["applied_to"]:
        raise ApiError("resource_in_use", f"firewall with ID '{row['id']}' is still in use")
    return call.remove("firewalls", row)


def _set_rules(call: Call) -> Answer:
    row, rules = call.free("firewalls"), checked_rules(fields.objects(call.body, "rules"))
    done = [change("firewalls", row["id"], rules=rules)]
    actions = [call.start("set_firewall_rules", [("firewalls", row["id"])], effects=done)]
    actions += [_applying(call, "apply_firewall", row, one) for one in row["applied_to"] if one["type"] == "server"]
    return Answer(body={"actions": actions}, status=201)


def _apply(call: Call) -> Answer:
    row, wishes = call.free("firewalls"), _resources(call, "apply_to")
    _check_servers(call, row, wishes)
    done = [change("firewalls", row["id"], applied_to=[*row["applied_to"], *wishes])]
    return Answer(
        body={"actions": [_applying(call, "apply_firewall", row, one, effects=done) for one in wishes]}, status=201
    )


def _remove(call: Call) -> Answer:
    row, wishes = call.free("firewalls"), _resources(call, "remove_from")
    for one in wishes:
        if one["type"] == "server" and one not in row["applied_to"]:
            _refuse_managed(row, call.project.get("servers", one["server"]["id"]))
    left = [one for one in row["applied_to"] if one not in wishes]
    done = [change("firewalls", row["id"], applied_to=left)]
    return Answer(
        body={"actions": [_applying(call, "remove_firewall", row, one, effects=done) for one in wishes]}, status=201
    )


def _refuse_managed(row: Json, server: Json) -> None:
    """A server that a label chose cannot be taken out by name; one that is not there at all is no error."""
    if holds(row, server):
        raise ApiError("firewall_managed_by_label_selector", "the firewall is applied by a label selector")


KIND: Final = Kind(name="firewalls", key="firewall", show=show)
_ACTION: Final = "/firewalls/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND),
    ("POST", "/firewalls", _create),
    ("DELETE", "/firewalls/{id}", _delete),
    ("POST", f"{_ACTION}/set_rules", _set_rules),
    ("POST", f"{_ACTION}/apply_to_resources", _apply),
    ("POST", f"{_ACTION}/remove_from_resources", _remove),
]
