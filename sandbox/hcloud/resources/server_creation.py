"""`POST /servers`: everything is judged first, then made; a refused server leaves nothing behind."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import find, zone_of
from sandbox.hcloud.catalogue.server_types import SERVER_TYPES, exists_in
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid, not_found
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources import firewalls, images, networks, placement_groups, primary_ips, servers, volumes
from sandbox.hcloud.resources.common import new_row
from sandbox.hcloud.resources.server_types import is_available

MOST_USER_DATA: Final = 32 * 1024  # bytes
MOST_NETWORKS: Final = 3  # per server
_DEFAULT_LOCATION: Final = "fsn1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A server that may be made: all that it refers to was found and is free."""

    server_type: Json
    image: Json
    location: str
    networks: list[Json]
    volumes: list[Json]
    firewalls: list[Json]
    ssh_keys: list[Json]
    placement_group: int | None
    given: dict[str, Json]
    automatic: tuple[str, ...]


def found_type(value: object) -> Json:
    """Return a server type by id or name. Raises invalid_input."""
    if (found := find(SERVER_TYPES, value)) is None:
        raise invalid("server_type", f"unknown server type {value!r}" if value is not None else "is required")
    return found


def check_available(call: Call, server_type: Json, location: str) -> None:
    """Raise unless servers of this type can be made here now."""
    if not exists_in(server_type, location):
        raise invalid("server_type", "unsupported location for server type")
    if not is_available(call, server_type["name"], location):
        raise ApiError("resource_unavailable", "error during placement: server type is not available in this location")


def _plan(call: Call) -> Plan:
    body = call.body
    server_type = found_type(body.get("server_type"))
    if body.get("image") is None:
        raise invalid("image", "is required")
    image = images.find_image(call.project, body["image"], server_type["architecture"])
    if image["disk_size"] > server_type["disk"]:
        raise invalid("image", f"image needs {image['disk_size']} GB, the server type has {server_type['disk']} GB")
    public, given, automatic = _public(call)
    location = _location(body, given, call)
    for version, row in given.items():
        primary_ips.check_assignable(row, version=version, location=location)
    check_available(call, server_type, location)
    plan = Plan(
        server_type=server_type,
        image=image,
        location=location,
        networks=_networks(call, zone_of(location)),
        volumes=_volumes(call, location),
        firewalls=_firewalls(call, public=public),
        ssh_keys=[_ssh_key(call, which) for which in fields.items(body, "ssh_keys")],
        placement_group=_group(call),
        given=given,
        automatic=automatic,
    )
    if not public and not plan.networks and _starts(body):
        # The official provider makes such a server off and attaches its networks before it powers on.
        raise invalid("networks", "a server that starts needs a public or a private network")
    return plan


def _starts(body: Json) -> bool:
    return fields.boolean(body, "start_after_create", default=True)


def _public(call: Call) -> tuple[bool, dict[str, Json], tuple[str, ...]]:
    """Return whether there is a public side, the addresses that were given, and the versions to make automatically."""
    wish = fields.mapping(call.body, "public_net")
    given, automatic = {}, []
    for version in primary_ips.VERSIONS:
        if not fields.boolean(wish, f"enable_{version}", default=True):
            if wish.get(version):
                raise invalid(f"public_net.{version}", f"enable_{version} is false")
        elif wish.get(version):
            row = call.project.get("primary_ips", wish[version])
            call.check_free("primary_ips", row)
            given[version] = row
        else:
            automatic.append(version)
    return bool(given or automatic), given, tuple(automatic)


def _location(body: Json, given: dict[str, Json], call: Call) -> str:
    named = primary_ips.wished_location(body)
    volume_ids = fields.items(body, "volumes")
    implied = [row["location"] for row in given.values()]
    implied += [call.project.get("volumes", one)["location"] for one in volume_ids]
    location = named or next(iter(implied), _DEFAULT_LOCATION)
    if not named and not exists_in(found_type(body.get("server_type")), location):
        location = found_type(body.get("server_type"))["locations"][0]["name"]
    return str(location)


def _different(body: Json, field: str) -> list[Any]:
    """Return the ids in a list. Raises invalid_input when one comes twice."""
    found = fields.items(body, field)
    if len({str(one) for one in found}) < len(found):
        raise invalid(field, "an ID may come only once")
    return found


def _networks(call: Call, zone: str) -> list[Json]:
    found = [call.project.get("networks", one) for one in _different(call.body, "networks")]
    if len(found) > MOST_NETWORKS:
        raise invalid("networks", f"at most {MOST_NETWORKS} networks per server")
    ranges = [networks.whole_range(row) for row in found]
    if any(one.overlaps(other) for place, one in enumerate(ranges) for other in ranges[:place]):
        raise ApiError("networks_overlap", "the networks overlap")
    for row in found:
        networks.check_room(call.project, row, zone)
    return found


def _volumes(call: Call, location: str) -> list[Json]:
    found = [call.project.get("volumes", one) for one in _different(call.body, "volumes")]
    if len(found) > volumes.MOST_PER_SERVER:
        raise volumes.too_many()
    for row in found:
        volumes.check_attachable(call, row, location)
    return found


def _firewalls(call: Call, *, public: bool) -> list[Json]:
    found = [call.project.get("firewalls", one.get("firewall")) for one in fields.objects(call.body, "firewalls")]
    if found and not public:
        raise ApiError("private_net_only_server", "a firewall needs a server with a public interface")
    firewalls.check_count(len(found))
    return found


def _ssh_key(call: Call, which: object) -> Json:
    row = call.project.find("ssh_keys", which) or call.project.named("ssh_keys", str(which))
    if row is None:
        raise not_found("SSH key", which)
    return row


def _group(call: Call) -> int | None:
    if (number := call.body.get("placement_group")) is None:
        return None
    row = call.project.get("placement_groups", number)
    placement_groups.check_room(call.project, row["id"])
    return int(row["id"])


def create(call: Call) -> Answer:
    """Make a server: answers at once, the machine starts by and by."""
    name, user_data = fields.host_name(call.body), call.body.get("user_data") or ""
    if not isinstance(user_data, str) or len(user_data.encode()) > MOST_USER_DATA:
        raise invalid("user_data", f"must be a string of at most {MOST_USER_DATA} bytes")
    row = new_row(call, "servers", name=name)
    plan = _plan(call)
    call.project.check_quota("servers")
    call.project.check_quota("primary_ips", more=len(plan.automatic))
    _make(call, row, plan, user_data)
    action, following = _actions(call, row, plan)
    password = None if plan.ssh_keys else row["root_password"]
    shown = servers.KIND.show(call, row)
    return Answer(
        body={"server": shown, "action": action, "next_actions": following, "root_password": password}, status=201
    )


def _make(call: Call, row: Json, plan: Plan, user_data: str) -> None:
    row |= {
        "status": "initializing",
        "server_type": plan.server_type["name"],
        "location": plan.location,
        "image": plan.image,
        "iso": None,
        "rescue_enabled": False,
        "backup_window": None,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": plan.server_type["prices"][0]["included_traffic"],
        "protection": {"delete": False, "rebuild": False},
        "private_net": [],
        "primary_disk_size": plan.server_type["disk"],
        "placement_group": plan.placement_group,
        "user_data": user_data,
        "ssh_keys": [one["id"] for one in plan.ssh_keys],
    }
    call.project.add("servers", row)
    row["root_password"] = made_password(row["id"])
    for version in plan.automatic:
        primary_ips.create_automatic(call, version, location=plan.location, server=row["id"])
    for address in plan.given.values():
        address |= {"assignee_type": "server", "assignee_id": row["id"]}
    for network in plan.networks:
        row["private_net"].append(networks.attachment(call.project, network, zone_of(plan.location)))
    for firewall in plan.firewalls:
        firewall["applied_to"].append({"type": "server", "server": {"id": row["id"]}})


def _actions(call: Call, row: Json, plan: Plan) -> tuple[Json, list[Json]]:
    target = [("servers", row["id"])]
    failed = [change("servers", row["id"], status="off")]
    action = call.start("create_server", target, effects=[change("servers", row["id"], status="off")], undo=failed)
    following, before = [], action
    for volume in plan.volumes:
        given = change("volumes", volume["id"], server=row["id"])
        targets = [*target, ("volumes", volume["id"])]
        before = call.start("attach_volume", targets, effects=[given], after=before)
        following.append(before)
    if _starts(call.body):
        running = [change("servers", row["id"], status="running")]
        following.append(call.start("start_server", target, effects=running, after=before))
    return action, following


def made_password(number: int) -> str:
    """Return a root password: made up, the same for the same number."""
    return hashlib.sha256(f"root {number}".encode()).hexdigest()[:20]


ROUTES: Final[list[Route]] = [("POST", "/servers", create)]
