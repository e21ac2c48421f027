"""What controllers inside the cluster made is found and removed before a destroy; nobody else's things are touched."""

from __future__ import annotations

import json

import pytest

from clawstack.cluster.leftovers import Maker, find_leftovers, made_by
from clawstack.cluster.sweep import Sweeper
from clawstack.errors import NeedsAttentionError, TemporaryError
from tests.unit.platform_cluster.examples import raw_cluster

POOLS = {"web": {"count": 1, "type": "cx33", "location": "fsn1"}}


def _lived_in(world, at_root):
    """A cluster whose controllers have made a load balancer and a volume, beside things of other people."""
    at_root.configure(raw_cluster(pools=POOLS))
    at_root.pulumi("up", "--yes", "--skip-preview")
    client = world.client()
    network, server = client.networks.get_by_name("claw"), client.servers.get_by_name("claw-web-1")
    balancer = {"name": "ingress", "load_balancer_type": "lb11", "location": "fsn1", "network": network.id}
    world.tell("foreign/load_balancers", {"body": balancer})
    world.tell(
        "foreign/load_balancers", {"body": {"name": "elsewhere", "load_balancer_type": "lb11", "location": "fsn1"}}
    )
    world.tell("foreign/volumes", {"body": {"name": "pvc-1", "size": 10, "server": server.id}})
    world.tell("foreign/volumes", {"body": {"name": "pvc-elsewhere", "size": 10, "location": "fsn1"}})
    world.tell("settle")
    return client


def _quiet(client, **changes):
    return Sweeper(client=client, tell=lambda _: None, pause=0.05, **changes)


def test_a_dry_run_names_what_controllers_made_and_changes_nothing(world, at_root):
    _lived_in(world, at_root)
    before = world.last_request()
    listed = at_root.tool("sweep", "claw", "--made-by", "controllers", "--json")
    rows = json.loads(listed.stdout)["leftovers"]
    assert [(row["kind"], row["name"], row["madeBy"]) for row in rows] == [
        ("load_balancers", "ingress", "controllers"),
        ("volumes", "pvc-1", "controllers"),
    ]
    assert listed.returncode == 1
    assert {row["method"] for row in world.requests(before)} == {"GET"}


def test_swept_before_and_destroyed_nothing_of_the_cluster_is_left(world, at_root):
    client = _lived_in(world, at_root)
    swept = at_root.tool("sweep", "claw", "--made-by", "controllers", "--delete")
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert client.servers.get_by_name("claw-control-plane-1").status == "off", "controllers would make them again"
    assert {balancer.name for balancer in client.load_balancers.get_all()} == {"elsewhere"}
    at_root.pulumi("destroy", "--yes", "--skip-preview")
    assert at_root.tool("sweep", "claw").returncode == 0
    left = {kind: [row["name"] for row in rows] for kind, rows in world.objects().items() if kind != "primary_ips"}
    assert left == {"load_balancers": ["elsewhere"], "volumes": ["pvc-elsewhere"]}, "somebody else's things are gone"


def test_a_sweep_of_everything_takes_a_whole_cluster_whose_state_is_lost(world, at_root):
    client = _lived_in(world, at_root)
    _quiet(client).remove(find_leftovers(client, "claw"), unprotect=True)
    assert find_leftovers(client, "claw") == []
    _quiet(client).remove(find_leftovers(client, "claw"))
    assert {row["name"] for row in world.objects()["volumes"]} == {"pvc-elsewhere"}


def test_another_clusters_things_are_not_found(world, at_root):
    client = _lived_in(world, at_root)
    assert find_leftovers(client, "cla") == []
    assert find_leftovers(client, "claw-2") == []


def test_protected_things_stay_until_it_is_said_twice(world, at_root):
    client = _lived_in(world, at_root)
    client.servers.get_by_name("claw-web-1").change_protection(delete=True, rebuild=True).wait_until_finished()
    found = find_leftovers(client, "claw")
    before = len(found)
    with pytest.raises(NeedsAttentionError, match="claw-web-1") as caught:
        _quiet(client).remove(found)
    assert "--unprotect" in caught.value.sentence()
    assert len(find_leftovers(client, "claw")) == before, "something was deleted all the same"
    _quiet(client).remove(found, unprotect=True)
    assert find_leftovers(client, "claw") == []


def test_what_is_busy_is_tried_again_and_patience_ends(world, at_root):
    client = _lived_in(world, at_root)
    balancers = made_by(find_leftovers(client, "claw"), Maker.CONTROLLERS)[:1]
    world.tell(
        "faults", {"kind": "error", "match": "DELETE /load_balancers", "times": 2, "code": "locked", "status": 423}
    )
    _quiet(client).remove(balancers)
    assert made_by(find_leftovers(client, "claw"), Maker.CONTROLLERS)[0].kind == "volumes"
    volumes = made_by(find_leftovers(client, "claw"), Maker.CONTROLLERS)
    world.tell("faults", {"kind": "error", "match": "volumes/.*", "times": 500, "code": "locked", "status": 423})
    with pytest.raises(TemporaryError, match="keeps refusing"):
        _quiet(client, patience=0.3).remove(volumes)


def test_without_a_token_the_tools_say_so(at_root):
    environment = {name: value for name, value in at_root.environment.items() if name != "CLAWSTACK_HCLOUD_TOKEN"}
    blind = type(at_root)(project=at_root.project, environment=environment)
    for tool, stdin in (("sweep", None), ("recover", "{}")):
        told = blind.tool(tool, "claw", stdin=stdin)
        assert told.returncode == 2
        assert "CLAWSTACK_HCLOUD_TOKEN is not set" in told.stderr
        assert "Traceback" not in told.stderr


def test_recovery_refuses_what_is_no_exported_stack(at_root):
    for text, sentence in (("{}", "no exported stack"), ("nonsense", "no JSON")):
        told = at_root.tool("recover", "claw", stdin=text)
        assert told.returncode == 2
        assert sentence in told.stderr
