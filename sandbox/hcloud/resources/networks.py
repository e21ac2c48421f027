"""Networks with their subnets and routes. Source: docs.hetzner.cloud, networks."""

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import ZONES
from sandbox.hcloud.model import addresses
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, listed, new_row, protection_route, relabel

MOST_SUBNETS: Final = 50
MOST_ROUTES: Final = 100
MOST_MEMBERS: Final = 100  # servers and load balancers per network
_SUBNET_TYPES: Final = ("cloud", "server", "vswitch")
_ATTACHED: Final = {"servers": "server", "load_balancers": "load_balancer"}


def members(project: Project, number: int) -> list[tuple[str, Json, Json]]:
    """Return kind, row and attachment of everything that is attached to a network."""
    return [
        (kind, row, attachment)
        for kind in _ATTACHED
        for row in project.rows(kind)
        for attachment in row["private_net"]
        if attachment["network"] == number
    ]


def attachment(
    project: Project, network: Json, zone: str, *, ip: str = "", ip_range: str = "", alias_ips: list[str] | None = None
) -> Json:
    """Return a new attachment with an address of its own. Raises what has no room or is taken."""
    chosen = check_room(project, network, zone, ip=ip, ip_range=ip_range, alias_ips=alias_ips)
    mac = addresses.mac_address(project.ids.next("mac"))
    return {"network": network["id"], "ip": chosen, "alias_ips": alias_ips or [], "mac_address": mac}


def check_room(
    project: Project, network: Json, zone: str, *, ip: str = "", ip_range: str = "", alias_ips: list[str] | None = None
) -> str:
    """Return the address that an attachment would get. Raises what has no room or is taken."""
    if len(members(project, network["id"])) >= MOST_MEMBERS:
        raise ApiError("resource_limit_exceeded", f"a network holds at most {MOST_MEMBERS} resources")
    chosen = addresses.chosen_address(network, zone, taken_addresses(project, network), wished=ip, ip_range=ip_range)
    check_aliases(project, network, zone, alias_ips or [], but=chosen)
    return chosen


def taken_addresses(project: Project, network: Json) -> list[str]:
    """Return all addresses of a network that somebody has."""
    attached = (one for _, _, one in members(project, network["id"]))
    return [address for one in attached for address in (one["ip"], *one.get("alias_ips", ()))]


def check_aliases(project: Project, network: Json, zone: str, aliases: Sequence[str], *, but: str = "") -> None:
    """Raise unless all additional addresses are free and different."""
    taken = [*taken_addresses(project, network), but]
    for alias in aliases:
        taken.append(addresses.chosen_address(network, zone, taken, wished=alias))


def whole_range(network: Json) -> ipaddress.IPv4Network:
    """Return the range of a network."""
    return ipaddress.IPv4Network(network["ip_range"])


def show(call: Call, row: Json) -> Json:
    """Return a network with the ids of what is attached."""
    ids: dict[str, list[int]] = {kind: [] for kind in _ATTACHED}
    for kind, member, _ in members(call.project, row["id"]):
        ids[kind].append(member["id"])
    return {**row, **ids}


def _create(call: Call) -> Answer:
    name, whole = fields.text(call.body, "name"), addresses.private_range(call.body.get("ip_range"))
    row = new_row(call, "networks", name=name, ip_range=str(whole), subnets=[], routes=[], protection={"delete": False})
    row["expose_routes_to_vswitch"] = fields.boolean(call.body, "expose_routes_to_vswitch", default=False)
    for wish in fields.objects(call.body, "subnets"):
        row["subnets"].append(_subnet(wish, row))
    for wish in fields.objects(call.body, "routes"):
        row["routes"].append(_route(wish, row))
    call.project.check_quota("networks")
    return KIND.answer(call, call.project.add("networks", row), 201)


def _subnet(wish: Json, network: Json) -> Json:
    subnet_type = fields.choice(wish, "type", _SUBNET_TYPES)
    zone = fields.choice(wish, "network_zone", ZONES)
    if len(network["subnets"]) >= MOST_SUBNETS:
        raise ApiError("resource_limit_exceeded", f"a network has at most {MOST_SUBNETS} subnets")
    given = wish.get("ip_range")
    wished = addresses.private_range(given) if given else addresses.free_subnet(network)
    addresses.check_subnet(wished, network)
    row: Json = {
        "type": subnet_type,
        "ip_range": str(wished),
        "network_zone": zone,
        "gateway": addresses.gateway_of(network),
    }
    if subnet_type == "vswitch":
        row["vswitch_id"] = fields.integer(wish, "vswitch_id", least=1, most=2**31)
    return row


def _route(wish: Json, network: Json) -> Json:
    try:
        destination = ipaddress.IPv4Network(str(wish.get("destination")))
        gateway = ipaddress.IPv4Address(str(wish.get("gateway")))
    except ValueError as error:
        raise invalid("destination", f"destination or gateway is invalid: {error}") from error
    if len(network["routes"]) >= MOST_ROUTES:
        raise ApiError("resource_limit_exceeded", f"a network has at most {MOST_ROUTES} routes")
    if gateway not in ipaddress.IPv4Network(network["ip_range"]) or str(gateway) == addresses.gateway_of(network):
        raise invalid("gateway", f"{gateway} must be an address of the network other than its gateway")
    if any(one["destination"] == str(destination) for one in network["routes"]):
        raise invalid("destination", f"a route to {destination} exists already")
    return {"destination": str(destination), "gateway": str(gateway)}


def _delete(call: Call) -> Answer:
    row = call.deletable("networks")
    if members(call.project, row["id"]):
        raise ApiError("service_error", "cannot remove network because servers are attached to it")
    return call.remove("networks", row)


def _changed(call: Call, command: str, row: Json, **values: Any) -> Answer:
    return action_answer(
        call.start(command, [("networks", row["id"])], effects=[change("networks", row["id"], **values)])
    )


def _add_subnet(call: Call) -> Answer:
    row = call.free("networks")
    return _changed(call, "add_subnet", row, subnets=[*row["subnets"], _subnet(call.body, row)])


def _delete_subnet(call: Call) -> Answer:
    row, ip_range = call.free("networks"), fields.text(call.body, "ip_range")
    left = [one for one in row["subnets"] if one["ip_range"] != ip_range]
    if len(left) == len(row["subnets"]):
        raise ApiError("not_found", f"subnet {ip_range} not found")
    home = ipaddress.IPv4Network(ip_range)
    if any(ipaddress.IPv4Address(one["ip"]) in home for _, _, one in members(call.project, row["id"])):
        # Seen in the Terraform provider's issues 343, 388 and 412, with this code.
        raise ApiError("service_error", "cannot remove subnet because servers are attached to it")
    return _changed(call, "delete_subnet", row, subnets=left)


def _add_route(call: Call) -> Answer:
    row = call.free("networks")
    return _changed(call, "add_route", row, routes=[*row["routes"], _route(call.body, row)])


def _delete_route(call: Call) -> Answer:
    row = call.free("networks")
    wish = {"destination": call.body.get("destination"), "gateway": call.body.get("gateway")}
    if wish not in row["routes"]:
        raise ApiError("not_found", f"route to {wish['destination']} not found")
    return _changed(call, "delete_route", row, routes=[one for one in row["routes"] if one != wish])


def _change_ip_range(call: Call) -> Answer:
    row, wished = call.free("networks"), addresses.private_range(call.body.get("ip_range"))
    if not ipaddress.IPv4Network(row["ip_range"]).subnet_of(wished):
        raise invalid("ip_range", "a network can only be extended")
    return _changed(call, "change_ip_range", row, ip_range=str(wished))


def _update(call: Call) -> Answer:
    row = call.target("networks")
    relabel(call, row, KIND)
    exposed = row["expose_routes_to_vswitch"]
    row["expose_routes_to_vswitch"] = fields.boolean(call.body, "expose_routes_to_vswitch", default=exposed)
    return KIND.answer(call, row)


def _list_members(call: Call) -> Answer:
    row = call.target("networks")
    shown = [_member(row, kind, member, one) for kind, member, one in members(call.project, row["id"])]
    return listed(call, "members", shown, sorts=("id", "type", "ip", "status"), filters=("type", "status", "subnet"))


def _member(network: Json, kind: str, member: Json, one: Json) -> Json:
    address = ipaddress.IPv4Address(one["ip"])
    homes = (subnet["ip_range"] for subnet in network["subnets"])
    subnet = next((text for text in homes if address in ipaddress.IPv4Network(text)), "")
    told = {"ip": one["ip"], "alias_ips": one.get("alias_ips", []), "subnet": subnet, "status": "ok"}
    return {"id": member["id"], "type": _ATTACHED[kind], **told}


KIND: Final = Kind(name="networks", key="network", show=show)
_ACTION: Final = "/networks/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, update=_update),
    ("POST", "/networks", _create),
    ("DELETE", "/networks/{id}", _delete),
    ("GET", "/networks/{id}/members", _list_members),
    ("POST", f"{_ACTION}/add_subnet", _add_subnet),
    ("POST", f"{_ACTION}/delete_subnet", _delete_subnet),
    ("POST", f"{_ACTION}/add_route", _add_route),
    ("POST", f"{_ACTION}/delete_route", _delete_route),
    ("POST", f"{_ACTION}/change_ip_range", _change_ip_range),
    protection_route("networks"),
]
