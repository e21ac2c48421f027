"""Servers: how they look, list, rename, delete. Creation is in `server_creation.py`, actions in `server_actions.py`."""

import ipaddress
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import LOCATIONS
from sandbox.hcloud.catalogue.server_types import SERVER_TYPES
from sandbox.hcloud.model.effects import change, delete
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources import firewalls, images, placement_groups, primary_ips
from sandbox.hcloud.resources.common import Kind, kind_routes
from sandbox.hcloud.resources.server_types import show_type

_HIDDEN: Final = {"user_data", "ssh_keys", "root_password", "automount", "boots"}


def show(call: Call, row: Json) -> Json:
    """Return a server with everything that is attached to it."""
    project, location = call.project, row["location"]
    group = project.find("placement_groups", row["placement_group"])
    plain = {key: value for key, value in row.items() if key not in _HIDDEN}
    return {
        **plain,
        "public_net": _public_net(call, row),
        "server_type": show_type(call, SERVER_TYPES[row["server_type"]]),
        "location": LOCATIONS[location],
        "image": images.show(call, row["image"]) if row["image"] else None,
        "locked": project.is_locked("servers", row["id"]),
        "volumes": [one["id"] for one in project.rows("volumes") if one["server"] == row["id"]],
        "load_balancers": [one["id"] for one in project.rows("load_balancers") if _serves(one, row["id"])],
        "placement_group": placement_groups.show(call, group) if group else None,
    }


def _serves(load_balancer: Json, server: int) -> bool:
    return any(one.get("server", {}).get("id") == server for one in load_balancer["targets"])


def _public_net(call: Call, row: Json) -> Json:
    assigned = primary_ips.assigned_to(call.project, "server", row["id"])
    shown: Json = {"ipv4": None, "ipv6": None}
    if (four := assigned.get("ipv4")) is not None:
        name = four["dns_ptr"][0]["dns_ptr"] if four["dns_ptr"] else None
        shown["ipv4"] = {"id": four["id"], "ip": four["ip"], "blocked": False, "dns_ptr": name}
    if (six := assigned.get("ipv6")) is not None:
        shown["ipv6"] = {"id": six["id"], "ip": six["ip"], "blocked": False, "dns_ptr": six["dns_ptr"]}
    shown["floating_ips"] = [one["id"] for one in call.project.rows("floating_ips") if one["server"] == row["id"]]
    shown["firewalls"] = firewalls.of_server(call.project, row)
    return shown


def public_address(call: Call, row: Json, version: str = "ipv4") -> str:
    """Return a server's public address, "" when it has none."""
    found = primary_ips.assigned_to(call.project, "server", row["id"]).get(version)
    return "" if found is None else str(ipaddress.ip_interface(found["ip"]).ip)


def _delete(call: Call) -> Answer:
    row = call.deletable("servers")
    before, row["status"] = row["status"], "deleting"
    undo = [change("servers", row["id"], status=before)]
    action = call.start("delete_server", [("servers", row["id"])], effects=[delete("servers", row["id"])], undo=undo)
    return Answer(body={"action": action})


KIND: Final = Kind(name="servers", key="server", show=show, filters=("name", "status"), check_name=fields.host_name)
ROUTES: Final[list[Route]] = [*kind_routes(KIND), ("DELETE", "/servers/{id}", _delete)]
