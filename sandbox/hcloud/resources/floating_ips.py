"""Floating IPs: public addresses that move between servers."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import LOCATIONS
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources import primary_ips
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row, protection_route, relabel


def show(_: Call, row: Json) -> Json:
    """Return a floating IP with its whole location."""
    return {**row, "home_location": LOCATIONS[row["home_location"]]}


def _create(call: Call) -> Answer:
    version = fields.choice(call.body, "type", primary_ips.VERSIONS)
    server = None if call.body.get("server") is None else call.project.get("servers", call.body["server"])
    home = primary_ips.wished_location({"location": call.body.get("home_location")})
    if server is None and not home:
        raise invalid("home_location", "home_location or server is needed")
    count = call.project.ids.next("automatic floating ip")
    name = fields.text(call.body, "name", required=False) or f"floating-ip-{count}"
    row = new_row(call, "floating_ips", name=name, type=version, server=None, protection={"delete": False})
    row["description"] = fields.text(call.body, "description", required=False)
    row["home_location"] = home or (server["location"] if server else "")
    call.project.check_quota("floating_ips")
    row = call.project.add("floating_ips", row | primary_ips.new_address(call.project, version))
    action = None if server is None else _assigning(call, row, server)
    return KIND.answer(call, row, 201, action=action)


def _assigning(call: Call, row: Json, server: Json) -> Json:
    call.check_free("servers", server)
    targets = [("floating_ips", row["id"]), ("servers", server["id"])]
    return call.start(
        "assign_floating_ip",
        targets,
        effects=[change("floating_ips", row["id"], server=server["id"])],
        locks=targets[:1],
    )


def _assign(call: Call) -> Answer:
    row = call.free("floating_ips")
    return action_answer(_assigning(call, row, call.project.get("servers", call.body.get("server"))))


def _unassign(call: Call) -> Answer:
    row = call.free("floating_ips")
    if row["server"] is None:
        raise ApiError("floating_ip_not_assigned", f"floating IP with ID '{row['id']}' is not assigned")
    done = [change("floating_ips", row["id"], server=None)]
    return action_answer(call.start("unassign_floating_ip", [("floating_ips", row["id"])], effects=done))


def _update(call: Call) -> Answer:
    row = call.target("floating_ips")
    relabel(call, row, KIND)
    if call.body.get("description") is not None:
        row["description"] = fields.text(call.body, "description", required=False)
    return KIND.answer(call, row)


def _delete(call: Call) -> Answer:
    row = call.deletable("floating_ips")
    return call.remove("floating_ips", row)


def _change_dns_ptr(call: Call) -> Answer:
    row = call.free("floating_ips")
    primary_ips.set_name(row, fields.text(call.body, "ip"), call.body.get("dns_ptr"))
    return action_answer(call.start("change_dns_ptr", [("floating_ips", row["id"])]))


KIND: Final = Kind(name="floating_ips", key="floating_ip", show=show)
_ACTION: Final = "/floating_ips/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, update=_update),
    ("POST", "/floating_ips", _create),
    ("DELETE", "/floating_ips/{id}", _delete),
    ("POST", f"{_ACTION}/assign", _assign),
    ("POST", f"{_ACTION}/unassign", _unassign),
    ("POST", f"{_ACTION}/change_dns_ptr", _change_dns_ptr),
    protection_route("floating_ips"),
]
