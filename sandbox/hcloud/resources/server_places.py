"""Where servers belong: their networks and placement groups. Source: docs.hetzner.cloud, server actions."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import zone_of
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Handler, Route
from sandbox.hcloud.resources import networks, placement_groups
from sandbox.hcloud.resources.common import action_answer
from sandbox.hcloud.resources.server_actions import must_be_off, started
from sandbox.hcloud.resources.server_creation import MOST_NETWORKS


def _attach_to_network(call: Call) -> Answer:
    row, network = call.free("servers"), call.project.get("networks", call.body.get("network"))
    attached = [one["network"] for one in row["private_net"]]
    if network["id"] in attached:
        raise ApiError("server_already_attached", "server is already attached to the network")
    if len(attached) >= MOST_NETWORKS:
        raise ApiError("resource_limit_exceeded", f"at most {MOST_NETWORKS} networks per server")
    _check_overlap(call, network, attached)
    ip, ip_range = (fields.text(call.body, name, required=False) for name in ("ip", "ip_range"))
    aliases = [str(one) for one in fields.items(call.body, "alias_ips")]
    zone = zone_of(row["location"])
    new = networks.attachment(call.project, network, zone, ip=ip, ip_range=ip_range, alias_ips=aliases)
    undo = [change("servers", row["id"], private_net=row["private_net"])]
    row["private_net"] = [*row["private_net"], new]  # at once, so that nobody else gets the address
    return action_answer(_network_action(call, "attach_to_network", row, network, undo=undo))


def _check_overlap(call: Call, network: Json, attached: Sequence[int]) -> None:
    wished = networks.whole_range(network)
    if any(wished.overlaps(networks.whole_range(call.project.get("networks", one))) for one in attached):
        raise ApiError("networks_overlap", "the network overlaps with another one of the server")


def _network_action(call: Call, command: str, row: Json, network: Json, **how: Any) -> Json:
    targets = [("servers", row["id"]), ("networks", network["id"])]
    return call.start(command, targets, locks=targets[:1], **how)


def _attached(call: Call, row: Json) -> tuple[Json, Json]:
    network = call.project.get("networks", call.body.get("network"))
    found = next((one for one in row["private_net"] if one["network"] == network["id"]), None)
    if found is None:
        raise ApiError("server_not_attached_to_network", "server is not attached to the network")
    return network, found


def _detach_from_network(call: Call) -> Answer:
    row = call.free("servers")
    network, gone = _attached(call, row)
    left = [one for one in row["private_net"] if one != gone]
    done = [change("servers", row["id"], private_net=left)]
    return action_answer(_network_action(call, "detach_from_network", row, network, effects=done))


def _change_alias_ips(call: Call) -> Answer:
    row = call.free("servers")
    network, old = _attached(call, row)
    others = [one for one in row["private_net"] if one != old]
    undo = [change("servers", row["id"], private_net=row["private_net"])]
    row["private_net"] = [*others, {**old, "alias_ips": []}]  # its own addresses are free for it
    aliases = [str(one) for one in fields.items(call.body, "alias_ips")]
    try:
        networks.check_aliases(call.project, network, zone_of(row["location"]), aliases)
    except ApiError:
        row["private_net"] = [*others, old]
        raise
    row["private_net"] = [*others, {**old, "alias_ips": aliases}]
    return action_answer(_network_action(call, "change_alias_ips", row, network, undo=undo))


def _add_to_group(call: Call) -> Answer:
    row = call.free("servers")
    group = call.project.get("placement_groups", call.body.get("placement_group"))
    must_be_off(row)
    if row["placement_group"] is not None:
        raise ApiError("already_in_placement_group", "server is already in a placement group")
    placement_groups.check_room(call.project, group["id"])
    undo = [change("servers", row["id"], placement_group=None)]
    row["placement_group"] = group["id"]
    return action_answer(started(call, "add_to_placement_group", row, undo=undo))


def _remove_from_group(call: Call) -> Answer:
    row = call.free("servers")
    if row["placement_group"] is None:
        raise ApiError("not_in_placement_group", "server is in no placement group")
    return action_answer(started(call, "remove_from_placement_group", row, placement_group=None))


_HANDLERS: Final[dict[str, Handler]] = {
    "attach_to_network": _attach_to_network,
    "detach_from_network": _detach_from_network,
    "change_alias_ips": _change_alias_ips,
    "add_to_placement_group": _add_to_group,
    "remove_from_placement_group": _remove_from_group,
}
ROUTES: Final[list[Route]] = [
    ("POST", f"/servers/{{id}}/actions/{name}", handler) for name, handler in _HANDLERS.items()
]
