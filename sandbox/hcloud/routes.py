"""All routes of the API."""

from typing import Final

from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources import (
    certificates,
    firewalls,
    floating_ips,
    images,
    load_balancers,
    networks,
    placement_groups,
    primary_ips,
    rrsets,
    server_actions,
    server_creation,
    server_places,
    server_types,
    servers,
    ssh_keys,
    volumes,
    zones,
)
from sandbox.hcloud.resources.common import list_actions, show_action


def _all_actions(call: Call) -> Answer:
    return list_actions(call, list(call.project.actions.values()))


def _one_action(call: Call) -> Answer:
    return show_action(call, lambda _: True)


ROUTES: Final[list[Route]] = [
    ("GET", "/actions", _all_actions),
    ("GET", "/actions/{action}", _one_action),
    *certificates.ROUTES,
    *firewalls.ROUTES,
    *floating_ips.ROUTES,
    *images.ROUTES,
    *load_balancers.ROUTES,
    *networks.ROUTES,
    *placement_groups.ROUTES,
    *primary_ips.ROUTES,
    *rrsets.ROUTES,
    *server_actions.ROUTES,
    *server_creation.ROUTES,
    *server_places.ROUTES,
    *server_types.ROUTES,
    *servers.ROUTES,
    *ssh_keys.ROUTES,
    *volumes.ROUTES,
    *zones.ROUTES,
]
