"""The root project with a cluster, as an operator brings it up, changes it and takes it down: real engine, policy pack."""

from __future__ import annotations

import base64
import copy

import pytest
import yaml
from cryptography import x509

from clawstack.cluster.model import Shape, forecast
from tests.integration.platform_cluster.operating import PACK, servers_by_name
from tests.unit.platform_cluster.examples import large_cluster, raw_cluster

POOLS = {
    "web": {"count": 2, "type": "cx33", "location": "fsn1"},
    "data": {"count": 1, "type": "cax21", "location": "nbg1"},
}
CELLS = {"count": 1, "type": "cpx32", "location": "hel1"}


def test_one_config_set_makes_a_cluster_and_destroy_leaves_nothing(world, at_root):
    assert "hcloud" not in at_root.pulumi("preview", *PACK), "the shipped dev stack must work without Hetzner"
    at_root.pulumi("config", "set", "--path", "clawstack:cluster.enabled", "true")
    assert "hcloud:index:Server dev-control-plane-1 create" in at_root.pulumi("preview", *PACK)
    assert world.objects() == {}, "a preview made something"
    assert "created" in at_root.pulumi("up", "--yes", "--skip-preview", *PACK)
    outputs = at_root.outputs()
    server = world.client().servers.get_by_name("dev-control-plane-1")
    assert outputs["addresses"]["control-plane-1"] == {"private": "10.0.1.11", "public": server.public_net.ipv4.ip}
    assert [net.ip for net in server.private_net] == ["10.0.1.11"]
    assert outputs["monthlyCost"]["total"] == "6.49"
    assert f"https://{server.public_net.ipv4.ip}:6443" in outputs["kubeconfig"]
    assert outputs["kubeconfig"] not in at_root.pulumi("stack", "export"), (
        "the kubeconfig lies in the state in plain text"
    )
    assert "unchanged" in at_root.pulumi("up", "--yes", "--skip-preview", *PACK)
    assert at_root.tool("sweep", "dev").returncode == 1
    at_root.pulumi("destroy", "--yes", "--skip-preview")
    assert world.objects() == {}
    swept = at_root.tool("sweep", "dev")
    assert (swept.returncode, swept.stdout) == (0, "Nothing is left.\n")


def test_the_shipped_example_for_production_passes_the_pack(world, at_root):
    at_root.pulumi("stack", "init", "prod")
    text = at_root.pulumi("preview", "--stack", "prod", *PACK)
    for name in ("prod-control-plane-3", "prod-cells-3", "prod-data-1", "prod-nat"):
        assert f"hcloud:index:Server {name} create" in text
    assert "hcloud:index:LoadBalancer prod-api create" in text
    assert world.objects() == {}


def test_the_model_does_not_flatter_itself(world, at_root):
    """The number of requests that the model foretells is an upper bound of what the engine really sends."""
    at_root.configure(raw_cluster(pools={"web": {"count": 4, "type": "cx33", "location": "fsn1"}}))
    at_root.pulumi("up", "--yes", "--skip-preview")
    real = len(world.requests())
    foretold = forecast(Shape(control_planes=1, workers=4)).requests
    assert real <= foretold, f"{real} requests were sent, {foretold} were foretold"
    assert at_root.outputs()["firstUpdate"]["requests"] == foretold


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"controlPlane": {"count": 2}}, "1 or 3 servers, not 2; with 2 the loss of either one stops the cluster"),
        ({"sshSources": ["0.0.0.0/0"]}, "0.0.0.0/0 is the whole internet"),
        ({"pools": {"a": {**CELLS, "slot": 20}, "b": {**CELLS, "slot": 20}}}, "`slot: 10` is free"),
    ],
)
def test_what_cannot_be_is_refused_before_hetzner_hears_of_it(world, at_root, changes, sentence):
    at_root.configure(raw_cluster(**changes))
    said = at_root.pulumi("preview", expect=1)
    assert sentence in " ".join(said.split())
    assert "Traceback" not in said
    assert world.requests() == []


def test_without_a_token_the_remedy_is_told(world, at_root):
    environment = {name: value for name, value in at_root.environment.items() if name != "CLAWSTACK_HCLOUD_TOKEN"}
    at_root.configure(raw_cluster())
    blind = type(at_root)(project=at_root.project, environment=environment)
    said = blind.pulumi("preview", expect=1)
    assert "pulumi config set --secret clawstack:hcloudToken" in said
    assert "Traceback" not in said


def test_pools_come_go_and_change_places_and_nobody_else_moves(world, at_root):
    at_root.configure(raw_cluster(pools=POOLS))
    at_root.pulumi("up", "--yes", "--skip-preview")
    before = servers_by_name(world, ("id", "private_net"))
    at_root.configure(raw_cluster(pools=dict(reversed(POOLS.items()))))
    assert at_root.steps() == {}, "the order of pools means something"
    at_root.configure(raw_cluster(pools={"cells": CELLS, **POOLS}))
    added = at_root.steps()
    assert set(added) == {"create"}, f"adding a pool does more than create: {added}"
    assert "Server claw-cells-1" in added["create"]
    at_root.configure(raw_cluster(pools={"data": POOLS["data"]}))
    removed = at_root.steps()
    assert set(removed) == {"delete"}, f"removing a pool does more than delete: {removed}"
    assert {name for name in removed["delete"] if name.startswith("Server")} == {
        "Server claw-web-1",
        "Server claw-web-2",
    }
    smaller = copy.deepcopy(POOLS)
    smaller["web"].update(count=1, retired=[1])
    at_root.configure(raw_cluster(pools=smaller))
    assert at_root.steps() == {"delete": ["Server claw-web-1"]}
    at_root.configure(raw_cluster(pools={"cells": CELLS, **POOLS}))
    at_root.pulumi("up", "--yes", "--skip-preview")
    after = servers_by_name(world, ("id", "private_net"))
    assert {name: after[name][0] for name in before} == {name: before[name][0] for name in before}
    assert {name: [net.ip for net in after[name][1]] for name in before} == {
        name: [net.ip for net in before[name][1]] for name in before
    }


def test_only_a_new_generation_replaces_a_server_and_then_with_what_is_new(world, at_root):
    raw = raw_cluster(pools=copy.deepcopy(POOLS))
    at_root.configure(raw)
    at_root.pulumi("up", "--yes", "--skip-preview")
    raw |= {"kubernetes": {"podTraffic": "vxlan"}, "webSources": ["0.0.0.0/0"]}
    raw["pools"]["web"]["image"] = "ubuntu-24.04"
    at_root.configure(raw)
    assert at_root.steps() == {"update": ["Firewall claw-node"]}
    raw["pools"]["web"]["type"] = "cx43"
    at_root.configure(raw)
    resized = {"update": ["Firewall claw-node", "Server claw-web-1", "Server claw-web-2"]}
    assert at_root.steps() == resized, "a larger type is a resize, never a new server"
    raw["pools"]["web"]["generation"] = 2
    at_root.configure(raw)
    assert at_root.steps() == {"update": ["Firewall claw-node"], "replace": ["Server claw-web-1", "Server claw-web-2"]}
    before = servers_by_name(world)
    at_root.pulumi("up", "--yes", "--skip-preview")
    after = servers_by_name(world)
    assert {name for name in before if before[name] != after[name]} == {"claw-web-1", "claw-web-2"}
    new = world.client().servers.get_by_name("claw-web-1")
    assert new.image.name == "ubuntu-24.04"
    assert [net.ip for net in new.private_net] == ["10.0.115.11"]
    assert at_root.steps() == {}


def test_control_planes_are_replaced_one_at_a_time_and_only_the_unlocked_one(world, at_root):
    raw = raw_cluster(protection=True, controlPlane={"count": 3, "generations": {2: 2}})
    at_root.configure(raw_cluster(protection=True, controlPlane={"count": 3}))
    at_root.pulumi("up", "--yes", "--skip-preview")
    before = servers_by_name(world)
    at_root.configure(raw)
    assert "marked for protection" in at_root.pulumi("preview", expect=1)
    raw["controlPlane"] |= {"unlocked": 2, "generations": {1: 2, 2: 2}}
    at_root.configure(raw_cluster(protection=True, controlPlane={"count": 3, "unlocked": 2}))
    assert at_root.steps() == {"update": ["Server claw-control-plane-2"]}
    at_root.pulumi("up", "--yes", "--skip-preview")
    at_root.configure(raw)
    refused = " ".join(at_root.pulumi("preview", expect=1).split())
    assert "claw-control-plane-1" in refused
    assert "marked for protection" in refused
    raw["controlPlane"]["generations"] = {2: 2}
    at_root.configure(raw)
    assert at_root.steps() == {"replace": ["Server claw-control-plane-2"]}
    at_root.pulumi("up", "--yes", "--skip-preview")
    after = servers_by_name(world)
    assert {name for name in before if before[name] != after[name]} == {"claw-control-plane-2"}
    assert "protect" in at_root.pulumi("destroy", "--yes", "--skip-preview", expect=1)
    assert set(servers_by_name(world)) == set(before), "a refused destroy took a server"
    raw["controlPlane"].pop("unlocked")
    at_root.configure({**raw, "protection": False})
    at_root.pulumi("up", "--yes", "--skip-preview")
    at_root.pulumi("destroy", "--yes", "--skip-preview")
    assert world.objects() == {}


def test_everything_that_can_be_switched_on_passes_the_pack_and_goes_again(world, at_root):
    raw = large_cluster(protection=False)
    raw["pools"]["cells"]["count"] = 2
    at_root.configure(raw)
    at_root.pulumi("up", "--yes", "--skip-preview", *PACK)
    assert at_root.steps() == {}
    client = world.client()
    cells = client.servers.get_by_name("claw-cells-1")
    assert cells.public_net.ipv4 is None
    assert [net.ip for net in cells.private_net] == ["10.0.51.11"]
    assert client.volumes.get_by_name("claw-postgres").server.id == client.servers.get_by_name("claw-data-1").id
    document = yaml.safe_load(at_root.outputs()["kubeconfig"])
    admin = base64.b64decode(document["users"][0]["user"]["client-certificate-data"])
    assert x509.load_pem_x509_certificate(admin).not_valid_after_utc
    assert "protected" in at_root.pulumi("destroy", "--yes", "--skip-preview", expect=1), "a volume went without a word"
    assert client.volumes.get_by_name("claw-postgres"), "a refused destroy took the volume"
    assert at_root.tool("sweep", "claw", "--lift").returncode == 0
    at_root.pulumi("destroy", "--yes", "--skip-preview")
    assert world.objects() == {}


def test_order_of_joining_is_order_of_making(world, at_root):
    at_root.configure(raw_cluster(controlPlane={"count": 3}, pools=POOLS))
    at_root.pulumi("up", "--yes", "--skip-preview")
    made = [
        row["body"]["name"] for row in world.requests() if row["method"] == "POST" and row["path"].endswith("/servers")
    ]
    assert made[:3] == ["claw-control-plane-1", "claw-control-plane-2", "claw-control-plane-3"]
    assert sorted(made[3:]) == ["claw-data-1", "claw-web-1", "claw-web-2"]
