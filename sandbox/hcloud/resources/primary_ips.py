"""Primary IPs: public addresses of servers and load balancers, made by hand or together with a server."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import LOCATIONS, find
from sandbox.hcloud.model import addresses
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid, not_found
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row, protection_route, relabel

VERSIONS: Final = ("ipv4", "ipv6")
_ASSIGNEES: Final = {"server": "servers", "load_balancer": "load_balancers"}


def new_address(project: Project, version: str) -> Json:
    """Return the fields of a new public address: itself, and its reverse names."""
    address = addresses.public_address(version, project.ids.next(f"address {version}"))
    names = [{"ip": address, "dns_ptr": addresses.default_name(address)}] if version == "ipv4" else []
    return {"ip": address, "dns_ptr": names, "blocked": False}


def create_automatic(call: Call, version: str, *, location: str, server: int) -> Json:
    """Make an address that lives and dies with its server."""
    call.project.check_quota("primary_ips")
    row = {
        "id": 0,
        "name": f"primary_ip-{call.project.ids.next('automatic primary ip')}",
        "labels": {},
        "created": call.project.get("servers", server)["created"],
        "type": version,
        "location": location,
        "assignee_type": "server",
        "assignee_id": server,
        "auto_delete": True,
        "protection": {"delete": False},
        **new_address(call.project, version),
    }
    return call.project.add("primary_ips", row)


def assigned_to(project: Project, kind: str, number: int) -> dict[str, Json]:
    """Return the addresses of a server or load balancer by version."""
    return {
        row["type"]: row
        for row in project.rows("primary_ips")
        if row["assignee_id"] == number and row["assignee_type"] == kind
    }


def check_assignable(row: Json, *, version: str, location: str) -> None:
    """Raise unless the address is free, of this version and in this location."""
    if row["assignee_id"] is not None:
        raise ApiError("primary_ip_assigned", f"primary IP with ID '{row['id']}' is already assigned")
    if row["type"] != version:
        raise ApiError("primary_ip_version_mismatch", f"primary IP with ID '{row['id']}' is not {version}")
    if row["location"] != location:
        raise ApiError("primary_ip_datacenter_mismatch", f"primary IP with ID '{row['id']}' is in {row['location']}")


def show(_: Call, row: Json) -> Json:
    """Return an address with its whole location."""
    return {**row, "location": LOCATIONS[row["location"]]}


def wished_location(body: Json) -> str:
    """Return the location that a body names, "" when it names none. Raises invalid_input.

    Whoever still names a `datacenter` names nothing: the API took the field away on 2026-07-01.
    """
    if (name := body.get("location")) is not None:
        if (found := find(LOCATIONS, name)) is None:
            raise invalid("location", f"unknown location {name!r}; known are {', '.join(LOCATIONS)}")
        return str(found["name"])
    return ""


def _create(call: Call) -> Answer:
    version = fields.choice(call.body, "type", VERSIONS)
    kind = fields.choice(call.body, "assignee_type", tuple(_ASSIGNEES), default="server")
    assignee = call.body.get("assignee_id")
    location = wished_location(call.body)
    if (assignee is None) == (not location):
        raise invalid("location", "exactly one of location and assignee_id is needed")
    name, protection = fields.text(call.body, "name"), {"delete": False}
    row = new_row(call, "primary_ips", name=name, type=version, location=location, protection=protection)
    row |= {"assignee_type": kind, "assignee_id": None, **new_address(call.project, version)}
    row["auto_delete"] = fields.boolean(call.body, "auto_delete", default=False)
    call.project.check_quota("primary_ips")
    if assignee is None:
        return KIND.answer(call, call.project.add("primary_ips", row), 201, action=None)
    owner = call.project.get(_ASSIGNEES[kind], assignee)
    _check_owner(call, kind, owner, version)
    row |= {"location": owner["location"], "assignee_id": owner["id"]}
    call.project.add("primary_ips", row)
    action = call.start("create_primary_ip", [("primary_ips", row["id"]), (_ASSIGNEES[kind], owner["id"])])
    return KIND.answer(call, row, 201, action=action)


def _check_owner(call: Call, kind: str, owner: Json, version: str) -> None:
    call.check_free(_ASSIGNEES[kind], owner)
    if kind == "server" and owner["status"] != "off":
        raise ApiError("server_not_stopped", "the server must be powered off")
    if version in assigned_to(call.project, kind, owner["id"]):
        raise ApiError(
            "server_has_ipv4" if version == "ipv4" else "server_has_ipv6", f"{kind} already has an {version}"
        )


def _update(call: Call) -> Answer:
    row = call.target("primary_ips")
    relabel(call, row, KIND)
    row["auto_delete"] = fields.boolean(call.body, "auto_delete", default=row["auto_delete"])
    return KIND.answer(call, row)


def _delete(call: Call) -> Answer:
    row = call.deletable("primary_ips")
    if row["assignee_id"] is not None:
        raise ApiError("must_be_unassigned", f"primary IP with ID '{row['id']}' must be unassigned first")
    return call.remove("primary_ips", row)


def _assign(call: Call) -> Answer:
    row = call.free("primary_ips")
    kind = fields.choice(call.body, "assignee_type", tuple(_ASSIGNEES), default="server")
    owner = call.project.get(_ASSIGNEES[kind], call.body.get("assignee_id"))
    if row["assignee_id"] is not None:
        raise ApiError("primary_ip_already_assigned", f"primary IP with ID '{row['id']}' is already assigned")
    _check_owner(call, kind, owner, row["type"])
    check_assignable(row, version=row["type"], location=owner["location"])
    given = change("primary_ips", row["id"], assignee_type=kind, assignee_id=owner["id"])
    targets = [("primary_ips", row["id"]), (_ASSIGNEES[kind], owner["id"])]
    return action_answer(call.start("assign_primary_ip", targets, effects=[given]))


def _unassign(call: Call) -> Answer:
    row = call.free("primary_ips")
    if row["assignee_id"] is None:
        raise ApiError("primary_ip_not_assigned", f"primary IP with ID '{row['id']}' is not assigned")
    kind = _ASSIGNEES[row["assignee_type"]]
    owner = call.project.get(kind, row["assignee_id"])
    if kind == "servers" and owner["status"] != "off":
        raise ApiError("server_not_stopped", "the server must be powered off")
    targets = [("primary_ips", row["id"]), (kind, owner["id"])]
    return action_answer(
        call.start("unassign_primary_ip", targets, effects=[change("primary_ips", row["id"], assignee_id=None)])
    )


def set_name(row: Json, address: str, name: object) -> None:
    """Set or take away a reverse name of an address. Raises not_found for one that is not its own."""
    if address != row["ip"] and not (row["type"] == "ipv6" and address.startswith(row["ip"].removesuffix("::/64"))):
        raise not_found("IP", address)
    others = [one for one in row["dns_ptr"] if one["ip"] != address]
    if name is None and row["type"] == "ipv4":
        name = addresses.default_name(address)
    row["dns_ptr"] = others if name is None else [*others, {"ip": address, "dns_ptr": str(name)}]


def _change_dns_ptr(call: Call) -> Answer:
    row = call.target("primary_ips")
    set_name(row, fields.text(call.body, "ip"), call.body.get("dns_ptr"))
    return action_answer(call.start("change_dns_ptr", [("primary_ips", row["id"])]))


KIND: Final = Kind(name="primary_ips", key="primary_ip", show=show, filters=("name", "ip"))
_ACTION: Final = "/primary_ips/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, update=_update),
    ("POST", "/primary_ips", _create),
    ("DELETE", "/primary_ips/{id}", _delete),
    ("POST", f"{_ACTION}/assign", _assign),
    ("POST", f"{_ACTION}/unassign", _unassign),
    ("POST", f"{_ACTION}/change_dns_ptr", _change_dns_ptr),
    protection_route("primary_ips"),
]
