"""What an operator may write, and the exact reasons for what not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from clawstack.cluster.offers import load_offers, shipped_offers
from clawstack.cluster.plan import plan_cluster
from clawstack.cluster.reading import parse_cluster
from clawstack.errors import InvalidInputError
from tests.unit.platform_cluster.examples import KEY, large_cluster, raw_cluster

ROOT = Path(__file__).parents[3]


def _refusal(raw):
    with pytest.raises(InvalidInputError) as caught:
        parse_cluster(raw)
    return caught.value


def _pool(**changes):
    return {"count": 1, "type": "cx33", "location": "fsn1", **changes}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_shipped_examples_are_valid(stack):
    config = parse_cluster(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]["clawstack:cluster"])
    nodes = plan_cluster(config).nodes()
    assert len(nodes) == {"dev": 1, "prod": 9}[stack]
    assert config.protection is (stack == "prod")
    assert config.enabled is (stack == "prod")


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"sshSources": []}, "sshSources", "at least 1 item"),
        ({"apiSources": []}, "apiSources", "at least 1 item"),
        ({"sshSources": ["0.0.0.0/0"]}, "sshSources.0", "0.0.0.0/0 is the whole internet"),
        ({"apiSources": ["::/0"]}, "apiSources.0", "::/0 is the whole internet"),
        ({"apiSources": ["0.0.0.0/1", "128.0.0.0/1"]}, "apiSources.1", "128.0.0.0/1 is a large part of the internet"),
        ({"sshSources": ["203.0.113.7/24"]}, "sshSources.0", "write 203.0.113.0/24"),
        ({"sshSources": ["office"]}, "sshSources.0", "'office' is not an address range; write it as 203.0.113.7/32"),
        ({"sshKeys": {}}, "sshKeys", "at least 1 item"),
        ({"sshKeys": {"me": "-----BEGIN PRIVATE"}}, "sshKeys.me", "never a private key"),
        ({"controlPlane": {"count": 2}}, "controlPlane.count", "1 or 3 servers, not 2; with 2 the loss of either one"),
        ({"controlPlane": {"count": 0}}, "controlPlane.count", "without one there is no cluster"),
        ({"controlPlane": {"count": 5}}, "controlPlane.count", "more than 3 make every write of etcd slower"),
        ({"controlPlane": {"locations": ["fsn1", "ash"]}}, "controlPlane.locations", "2 network zones (eu-central, us-east)"),
        ({"controlPlane": {"locations": ["ash"]}}, "controlPlane.type", "cx33 is not sold at ash; there are ccx13"),
        ({"controlPlane": {"generations": {2: 2}}}, "controlPlane.generations", "no control plane 2; there are 1 to 1"),
        ({"controlPlane": {"unlocked": 3}}, "controlPlane.unlocked", "no control plane 3; there are 1 to 1"),
        ({"networkRange": "10.42.0.0/16"}, "networkRange", "overlaps 10.42.0.0/16, where K3s puts pods"),
        ({"networkRange": "11.0.0.0/16"}, "networkRange", "not a private IPv4 /16"),
        ({"networkRange": "10.0.0.0/8"}, "networkRange", "not a private IPv4 /16"),
        ({"pools": {"web": _pool(type="cx22")}}, "pools.web.type", "'cx22' is no server type; choose one of cx23, cx33"),
        ({"pools": {"web": _pool(location="fsn2")}}, "pools.web.location", "'fsn2' is no location; choose one of fsn1"),
        ({"pools": {"web": _pool(type="cax21", location="ash")}}, "pools.web.type", "cax21 is not sold at ash"),
        ({"pools": {"web": _pool(arch="arm")}}, "pools.web.arch", "cx33 is x86, not arm"),
        ({"pools": {"web": _pool(count=-1)}}, "pools.web.count", "is '-1'; input should be greater than or equal to 0"),
        ({"pools": {"web": _pool(count=101)}}, "pools.web.count", "less than or equal to 100"),
        ({"pools": {"web": _pool(count=100)}}, "pools", "101 servers and load balancers; a private network takes 100"),
        ({"pools": {"Web": _pool()}}, "pools.Web", "lower-case letters"),
        ({"pools": {"nat": _pool()}}, "pools.nat", "'nat' is the name of a part of the cluster"),
        ({"pools": {"web": _pool(slot=9)}}, "pools.web.slot", "greater than or equal to 10"),
        ({"pools": {"a": _pool(slot=20), "b": _pool(slot=20)}}, "pools.b.slot", "`slot: 10` is free"),
        ({"pools": {"web": _pool(public=False)}}, "nat", "web have no public address and would reach nothing; add `nat: {}`"),
        ({"pools": {"web": _pool(labels={"kubernetes.io/x": "y"})}}, "pools.web", "may not give itself the label"),
        ({"pools": {"web": _pool(labels={"ok": "not ok"})}}, "pools.web.labels.ok", "pattern"),
        ({"pools": {"web": _pool(colour="red")}}, "pools.web.colour", "is not a setting"),
        ({"volumes": {"data": {"sizeGb": 9, "node": "web-1"}}}, "volumes.data.sizeGb", "greater than or equal to 10"),
        ({"volumes": {"data": {"sizeGb": 10, "node": "web-1"}}}, "volumes.data.node", "no node 'web-1'; choose one of control-plane-1"),
        ({"kubernetes": {"name": "x"}}, "kubernetes", "follow from the rest of the cluster's configuration"),
        ({"kubernetes": {"podTraffic": "plain"}}, "kubernetes.pod_traffic", "'wireguard-native' or 'vxlan'"),
        ({"name": "Über"}, "name", "lower-case letters"),
        ({"colour": "red"}, "colour", "is not a setting"),
        (
            {"controlPlane": {"public": False}, "nat": {}, "dns": {"zone": "claw.example", "apiName": "k8s"}},
            "dns.apiName", "has no public address to which the name could lead",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_place_reason_and_remedy(changes, path, reason):
    error = _refusal(raw_cluster(**changes))
    assert f"clawstack:cluster.{path}" in error.message
    assert reason in error.message
    assert re.search(r"pulumi config set --path 'clawstack:cluster\.", error.remedy)


@pytest.mark.parametrize("missing", ["sshSources", "apiSources", "sshKeys"])
def test_what_is_required_has_no_default(missing):
    raw = raw_cluster()
    del raw[missing]
    assert f"clawstack:cluster.{missing}: is required" in _refusal(raw).message


def test_every_mistake_is_told_at_once():
    error = _refusal(raw_cluster(sshSources=["0.0.0.0/0"], controlPlane={"count": 4}))
    assert "sshSources.0" in error.message
    assert "controlPlane.count" in error.message


def test_a_refusal_never_repeats_whole_sections():
    error = _refusal(raw_cluster(sshKeys=f"{KEY} and more"))
    assert "sshKeys" in error.message
    assert len(error.message) < 400


def test_sixteen_volumes_fit_a_server_and_seventeen_do_not():
    volumes = {f"v{place}": {"sizeGb": 10, "node": "control-plane-1"} for place in range(17)}
    assert "17 volumes; a server takes 16" in _refusal(raw_cluster(volumes=volumes)).message
    volumes.popitem()
    assert len(parse_cluster(raw_cluster(volumes=volumes)).volumes) == 16


def test_placement_groups_of_a_project_are_counted():
    pools = {f"p{place}": _pool(slot=20 + place) for place in range(50)}
    error = _refusal(raw_cluster(pools=pools))
    assert "51 placement groups; a project takes 50" in error.message
    assert "50 pools need as many subnets" in error.message


def test_nodes_of_protected_clusters_are_locked_but_for_the_unlocked_one():
    raw = large_cluster(controlPlane={"count": 3, "locations": ["fsn1"], "unlocked": 2, "generations": {2: 7}})
    planes = plan_cluster(parse_cluster(raw)).control_planes
    assert [node.locked for node in planes] == [True, False, True]
    assert [node.generation for node in planes] == [1, 7, 1]
    assert not any(node.locked for node in plan_cluster(parse_cluster(raw)).workers)


def test_control_planes_go_round_their_locations():
    raw = raw_cluster(controlPlane={"count": 3, "locations": ["nbg1", "hel1"]})
    assert [node.location for node in plan_cluster(parse_cluster(raw)).control_planes] == ["nbg1", "hel1", "nbg1"]


def test_the_architecture_follows_from_the_type():
    raw = raw_cluster(pools={"arm": _pool(type="cax11"), "x86": _pool()})
    assert {node.pool: node.arch.value for node in plan_cluster(parse_cluster(raw)).workers} == {
        "arm": "arm",
        "x86": "x86",
    }


def test_the_offers_agree_with_themselves():
    offers = load_offers()
    regions = {location.prices for location in offers.locations.values()}
    assert all(set(each.monthly) <= regions and each.monthly for each in offers.server_types.values())
    assert all(offers.types_at(location) for location in offers.locations)
    assert offers == shipped_offers()
