"""Load balancers: made, changed, attached to networks, deleted. Their services and targets are in `load_balancer_parts.py`."""

from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.load_balancer_types import LOAD_BALANCER_TYPES
from sandbox.hcloud.catalogue.locations import LOCATIONS, ZONES, find, zone_of
from sandbox.hcloud.model.effects import change, delete
from sandbox.hcloud.model.errors import ApiError, invalid, not_found
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources import load_balancer_parts as parts
from sandbox.hcloud.resources import networks, primary_ips
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row, protection_route

_ALGORITHMS: Final = ("round_robin", "least_connections")
_FIRST_IN_ZONE: Final = {"eu-central": "fsn1", "us-east": "ash", "us-west": "hil", "ap-southeast": "sin"}


def show(call: Call, row: Json) -> Json:
    """Return a load balancer in full."""
    private = [{"network": one["network"], "ip": one["ip"]} for one in row["private_net"]]
    return {
        **{key: value for key, value in row.items() if key != "public"},
        "location": LOCATIONS[row["location"]],
        "load_balancer_type": LOAD_BALANCER_TYPES[row["load_balancer_type"]],
        "public_net": _public_net(call, row),
        "private_net": private,
        "targets": [parts.show_target(call.project, one, row["services"]) for one in row["targets"]],
    }


def _public_net(call: Call, row: Json) -> Json:
    given = primary_ips.assigned_to(call.project, "load_balancer", row["id"])
    shown: Json = {"enabled": row["public"]["enabled"]}
    for version in primary_ips.VERSIONS:
        own = given.get(version) or row["public"][version]
        names = own["dns_ptr"]
        shown[version] = {
            "id": own.get("id"),
            "ip": own["ip"].removesuffix("::/64") + ("::1" if version == "ipv6" else ""),
        }
        shown[version] |= {"blocked": False, "dns_ptr": names[0]["dns_ptr"] if names else None}
    return shown


def _type(value: object) -> str:
    if (found := find(LOAD_BALANCER_TYPES, value)) is None:
        raise invalid("load_balancer_type", f"must be one of {', '.join(LOAD_BALANCER_TYPES)}")
    return str(found["name"])


def _location(body: Json) -> str:
    if (body.get("location") is None) == (body.get("network_zone") is None):
        raise invalid("location", "exactly one of location and network_zone is needed")
    if body.get("location") is not None:
        return primary_ips.wished_location(body)
    return _FIRST_IN_ZONE[fields.choice(body, "network_zone", ZONES)]


def create(call: Call) -> Answer:
    """Make a load balancer with its services, targets and network."""
    body, name = call.body, fields.text(call.body, "name")
    row = new_row(call, "load_balancers", name=name, load_balancer_type=_type(body.get("load_balancer_type")))
    row |= {
        "location": _location(body),
        "protection": {"delete": False},
        "private_net": [],
        "services": [],
        "targets": [],
    }
    row |= {"algorithm": _algorithm(fields.mapping(body, "algorithm")), "outgoing_traffic": 0, "ingoing_traffic": 0}
    row["included_traffic"] = 20 * 1024**4
    if body.get("network") is not None:
        network = call.project.get("networks", body["network"])
        row["private_net"] = [networks.attachment(call.project, network, zone_of(row["location"]))]
    row["services"] = [parts.service(call, one) for one in fields.objects(body, "services")]
    parts.check_services(row["load_balancer_type"], row["services"])
    row["targets"] = [parts.target(call, one, row) for one in fields.objects(body, "targets")]
    parts.check_targets(row["load_balancer_type"], row["targets"])
    given = _given_addresses(call, row["location"])
    call.project.check_quota("load_balancers")
    row["public"] = {version: primary_ips.new_address(call.project, version) for version in primary_ips.VERSIONS}
    row["public"]["enabled"] = fields.boolean(body, "public_interface", default=True)
    call.project.add("load_balancers", row)
    for address in given:
        address |= {"assignee_type": "load_balancer", "assignee_id": row["id"]}
    action = call.start("create_load_balancer", [("load_balancers", row["id"])])
    return KIND.answer(call, row, 201, action=action)


def _given_addresses(call: Call, location: str) -> list[Json]:
    found = []
    for version, number in fields.mapping(call.body, "public_net").items():
        if version in primary_ips.VERSIONS and number is not None:
            row = call.project.get("primary_ips", number)
            primary_ips.check_assignable(row, version=version, location=location)
            found.append(row)
    return found


def _algorithm(body: Json) -> Json:
    return {"type": fields.choice(body, "type", _ALGORITHMS, default="round_robin")}


def _delete(call: Call) -> Answer:
    row = call.deletable("load_balancers")
    gone = [delete("load_balancers", row["id"])]
    return Answer(body={"action": call.start("delete_load_balancer", [("load_balancers", row["id"])], effects=gone)})


def _changed(call: Call, command: str, row: Json, **values: Any) -> Answer:
    target = [("load_balancers", row["id"])]
    return action_answer(call.start(command, target, effects=[change("load_balancers", row["id"], **values)]))


def _add_service(call: Call) -> Answer:
    row = call.free("load_balancers")
    services = [*row["services"], parts.service(call, call.body)]
    parts.check_services(row["load_balancer_type"], services)
    return _changed(call, "add_service", row, services=services)


def _service_at(call: Call, row: Json) -> Json:
    listen = parts.port(call.body, "listen_port")
    found = next((one for one in row["services"] if one["listen_port"] == listen), None)
    if found is None:
        raise ApiError("not_found", f"service with listen port {listen} not found")
    return dict(found)


def _update_service(call: Call) -> Answer:
    row = call.free("load_balancers")
    before = _service_at(call, row)
    after = parts.service(call, call.body, before=before)
    return _changed(call, "update_service", row, services=[after if one == before else one for one in row["services"]])


def _delete_service(call: Call) -> Answer:
    row = call.free("load_balancers")
    gone = _service_at(call, row)
    return _changed(call, "delete_service", row, services=[one for one in row["services"] if one != gone])


def _add_target(call: Call) -> Answer:
    row = call.free("load_balancers")
    targets = [*row["targets"], parts.target(call, call.body, row)]
    parts.check_targets(row["load_balancer_type"], targets)
    return _changed(call, "add_target", row, targets=targets)


def _remove_target(call: Call) -> Answer:
    row = call.free("load_balancers")
    gone = parts.named_target(call.body)
    left = [one for one in row["targets"] if parts.identity(one) != gone]
    if len(left) == len(row["targets"]):
        raise ApiError("not_found", f"target {gone[0]} {gone[1]} not found")
    return _changed(call, "remove_target", row, targets=left)


def _change_algorithm(call: Call) -> Answer:
    row = call.free("load_balancers")
    return _changed(call, "change_algorithm", row, algorithm={"type": fields.choice(call.body, "type", _ALGORITHMS)})


def _change_type(call: Call) -> Answer:
    row, wished = call.free("load_balancers"), _type(call.body.get("load_balancer_type"))
    limits = LOAD_BALANCER_TYPES[wished]
    if len(row["targets"]) > limits["max_targets"] or len(row["services"]) > limits["max_services"]:
        raise ApiError("invalid_load_balancer_type", f"{wished} has too few targets or services")
    return _changed(call, "change_load_balancer_type", row, load_balancer_type=wished)


def _attach(call: Call) -> Answer:
    row, network = call.free("load_balancers"), call.project.get("networks", call.body.get("network"))
    if row["private_net"]:
        raise ApiError("load_balancer_already_attached", "the load balancer is already attached to a network")
    ip, ip_range = (fields.text(call.body, name, required=False) for name in ("ip", "ip_range"))
    new = networks.attachment(call.project, network, zone_of(row["location"]), ip=ip, ip_range=ip_range)
    row["private_net"] = [new]  # at once, so that nobody else gets the address
    undo = [change("load_balancers", row["id"], private_net=[])]
    targets = [("load_balancers", row["id"]), ("networks", network["id"])]
    return action_answer(call.start("attach_to_network", targets, undo=undo, locks=targets[:1]))


def _detach(call: Call) -> Answer:
    row, network = call.free("load_balancers"), call.project.get("networks", call.body.get("network"))
    if network["id"] not in [one["network"] for one in row["private_net"]]:
        raise ApiError("load_balancer_not_attached_to_network", "the load balancer is not attached to the network")
    return _changed(call, "detach_from_network", row, private_net=[])


def _enable_public(call: Call) -> Answer:
    row = call.free("load_balancers")
    return _changed(call, "enable_public_interface", row, public={**row["public"], "enabled": True})


def _disable_public(call: Call) -> Answer:
    row = call.free("load_balancers")
    if any(not one.get("use_private_ip", True) for one in row["targets"]):
        raise ApiError("targets_without_use_private_ip", "the load balancer has targets that use the public IP")
    if not row["private_net"]:
        raise ApiError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network")
    return _changed(call, "disable_public_interface", row, public={**row["public"], "enabled": False})


def _change_dns_ptr(call: Call) -> Answer:
    row, address = call.free("load_balancers"), fields.text(call.body, "ip")
    shown = _public_net(call, row)
    version = next((one for one in primary_ips.VERSIONS if shown[one]["ip"] == address), None)
    if version is None:
        raise not_found("IP", address)
    name = [{"ip": address, "dns_ptr": call.body.get("dns_ptr")}]
    given = primary_ips.assigned_to(call.project, "load_balancer", row["id"])
    (given.get(version) or row["public"][version])["dns_ptr"] = name
    return action_answer(call.start("change_dns_ptr", [("load_balancers", row["id"])]))


def _metrics(call: Call) -> Answer:
    call.target("load_balancers")
    told = {"start": call.first("start"), "end": call.first("end"), "step": float(call.first("step") or 60)}
    return Answer(body={"metrics": {**told, "time_series": {}}})


KIND: Final = Kind(name="load_balancers", key="load_balancer", show=show)
_ACTION: Final = "/load_balancers/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND),
    ("POST", "/load_balancers", create),
    ("DELETE", "/load_balancers/{id}", _delete),
    ("GET", "/load_balancers/{id}/metrics", _metrics),
    ("POST", f"{_ACTION}/add_service", _add_service),
    ("POST", f"{_ACTION}/update_service", _update_service),
    ("POST", f"{_ACTION}/delete_service", _delete_service),
    ("POST", f"{_ACTION}/add_target", _add_target),
    ("POST", f"{_ACTION}/remove_target", _remove_target),
    ("POST", f"{_ACTION}/change_algorithm", _change_algorithm),
    ("POST", f"{_ACTION}/change_type", _change_type),
    ("POST", f"{_ACTION}/attach_to_network", _attach),
    ("POST", f"{_ACTION}/detach_from_network", _detach),
    ("POST", f"{_ACTION}/enable_public_interface", _enable_public),
    ("POST", f"{_ACTION}/disable_public_interface", _disable_public),
    ("POST", f"{_ACTION}/change_dns_ptr", _change_dns_ptr),
    protection_route("load_balancers"),
]
