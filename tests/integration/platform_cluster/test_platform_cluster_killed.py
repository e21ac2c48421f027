"""kill -9 of the engine in the middle of `pulumi up`: after recovery the same end, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.platform_cluster.operating import (
    Hetzner,
    Operator,
    after_request,
    after_requests,
    hetzner,
    kill_engine,
    operator,
    servers_by_name,
    writes,
)
from tests.unit.platform_cluster.examples import large_cluster, raw_cluster

SMALL = raw_cluster(pools={"web": {"count": 1, "type": "cx33", "location": "fsn1"}})
LARGE = large_cluster(protection=False)
LARGE["pools"] = {
    "cells": {"count": 3, "type": "cpx32", "location": "fsn1"},
    "data": {"count": 1, "type": "cax21", "location": "nbg1"},
}
MEDIUM = {**LARGE, "controlPlane": {"count": 1}, "pools": {"data": {"count": 1, "type": "cx33", "location": "fsn1"}}}


def _names(world: Hetzner) -> dict[str, list[str]]:
    found = {kind: sorted(str(row["name"]) for row in rows) for kind, rows in world.objects().items()}
    found["primary_ips"] = ["named by Hetzner"] * len(found.get("primary_ips", []))
    return found


def _inside(world: Hetzner) -> dict[str, Any]:
    """Parts that have no name: subnets, routes, what hangs on the balancer, where volumes are."""
    client = world.client()
    networks, balancers = client.networks.get_all(), client.load_balancers.get_all()
    addresses = {server.name: [net.ip for net in server.private_net] for server in client.servers.get_all()}
    return {
        "subnets": sorted(subnet.ip_range for network in networks for subnet in network.subnets),
        "routes": sorted(route.destination for network in networks for route in network.routes),
        "services": [service.listen_port for balancer in balancers for service in balancer.services],
        "targets": [target.type for balancer in balancers for target in balancer.targets],
        "interfaces": [net.ip for balancer in balancers for net in balancer.private_net],
        "attached": sorted(volume.name for volume in client.volumes.get_all() if volume.server),
        "addresses": addresses,
    }


def _up(at_root: Operator) -> str:
    return at_root.pulumi("up", "--yes", "--skip-preview", "--stack", "dev")


def exported(at_root: Operator) -> str:
    """What `pulumi stack export` prints, without the engine's warnings about plugins."""
    text = at_root.pulumi("stack", "export", "--stack", "dev")
    return text[text.index("{") : text.rindex("}") + 1]


def recover(at_root: Operator, cluster: str = "claw") -> None:
    """What docs tell an operator to do."""
    at_root.pulumi("cancel", "--yes", "--stack", "dev")
    exported = at_root.pulumi("stack", "export", "--stack", "dev")
    undone = at_root.tool(
        "recover", cluster, "--delete", stdin=exported[exported.index("{") : exported.rindex("}") + 1]
    )
    assert undone.returncode == 0, undone.stdout + undone.stderr
    at_root.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", "dev")


def _killed_at_every_tenth(cluster: dict[str, Any], world: Hetzner, folder: Any) -> int:
    undisturbed = operator(folder / "undisturbed", world)
    undisturbed.configure(cluster)
    _up(undisturbed)
    wanted, parts, total = _names(world), _inside(world), writes(world)
    points = range(10, total, 10)
    for point in points:
        world.forget()
        at_root = operator(folder / f"killed-{point}", world)
        at_root.configure(cluster)
        process = at_root.start("up", "--yes", "--skip-preview", "--stack", "dev")
        assert after_requests(world, process, point), f"the update ended before change {point}"
        kill_engine(process)
        recover(at_root)
        _up(at_root)
        assert _names(world) == wanted, f"killed at change {point}"
        assert _inside(world) == parts, f"killed at change {point}"
        assert not at_root.steps(), f"killed at change {point}: the next preview still has work"
    world.forget()
    return len(points)


@pytest.mark.timeout(900)
def test_killed_at_every_tenth_change_a_small_cluster_comes_to_the_same_end(world, tmp_path):
    assert _killed_at_every_tenth(SMALL, world, tmp_path) >= 1


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_killed_at_every_tenth_change_a_large_cluster_comes_to_the_same_end(tmp_path):
    (tmp_path / "hetzner").mkdir()
    with hetzner(tmp_path / "hetzner") as world:
        assert _killed_at_every_tenth(LARGE, world, tmp_path) >= 4


_REACHES = {
    "create_server": ("POST", "/servers", "servers claw-"),
    "add_subnet": ("POST", "/actions/add_subnet", "subnet 10.0.0.0/24 of claw"),
    "add_route": ("POST", "/actions/add_route", "route 0.0.0.0/0 of claw"),
    "attach_to_network": ("POST", "/load_balancers/.*/actions/attach_to_network", "interface of claw-api"),
    "add_service": ("POST", "/actions/add_service", "service 6443 of claw-api"),
    "add_target": ("POST", "/actions/add_target", "targets of claw-api"),
    "attach_volume": ("POST", "/volumes/.*/actions/attach", "attachment of claw-postgres"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command",
    ["create_server", *(pytest.param(each, marks=pytest.mark.long) for each in _REACHES if each != "create_server")],
)
def test_what_was_made_and_not_written_down_is_found_and_undone(world, at_root, command):
    method, path, told = _REACHES[command]
    at_root.configure(MEDIUM)
    world.tell("faults", {"kind": "action_stuck", "match": f"^{command}$", "times": 1})
    process = at_root.start("up", "--yes", "--skip-preview", "--stack", "dev")
    after_request(world, process, method, path)
    kill_engine(process)
    world.tell("settle")  # Hetzner ends what it has begun, whoever asked for it
    at_root.pulumi("cancel", "--yes", "--stack", "dev")
    dry = at_root.tool("recover", "claw", stdin=exported(at_root))
    assert told in dry.stdout
    assert dry.returncode == 1
    recover(at_root)
    assert at_root.tool("recover", "claw", stdin=exported(at_root)).returncode == 0
    world.tell("faults", method="DELETE")
    _up(at_root)
    assert at_root.steps() == {}
    assert len(servers_by_name(world)) == 3


def test_killed_in_the_middle_of_a_destroy_the_next_one_leaves_nothing(world, at_root):
    at_root.configure(SMALL)
    _up(at_root)
    before = writes(world)
    process = at_root.start("destroy", "--yes", "--skip-preview", "--stack", "dev")
    assert after_requests(world, process, before + 4)
    kill_engine(process)
    at_root.pulumi("cancel", "--yes", "--stack", "dev")
    at_root.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev")
    assert world.objects() == {}
    assert servers_by_name(world) == {}
