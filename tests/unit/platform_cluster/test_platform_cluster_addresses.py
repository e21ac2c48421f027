"""Pools come, go and change places: no node that stays may change its address or anything that replaces its server."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clawstack.cluster import addresses
from clawstack.cluster.config import MAX_SERVERS
from clawstack.cluster.plan import plan_cluster
from clawstack.cluster.reading import parse_cluster
from clawstack.errors import InvalidInputError
from tests.unit.platform_cluster.examples import declare, mock_id, raw_cluster

#: Inputs of a server whose change replaces it (provider documentation), apart from what is ignored.
_REPLACING = ("location", "networks", "name", "publicNets", "placementGroupId")

_keys = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True).filter(lambda key: key not in {"nat", "api", "network"})
_pool = st.builds(
    lambda count, type_, location, retired: {
        "count": count, "type": type_, "location": location, "retired": sorted(retired),
    },
    st.integers(0, 12),
    st.sampled_from(["cx33", "cpx32", "cax21"]),
    st.sampled_from(["fsn1", "nbg1", "hel1"]),
    st.sets(st.integers(1, 14), max_size=3),
)  # fmt: skip
_pools = st.dictionaries(_keys, _pool, max_size=6)
_bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def _nodes(pools):
    try:
        return {node.name: node for node in plan_cluster(parse_cluster(raw_cluster(pools=pools))).nodes()}
    except InvalidInputError:
        assume(False)  # two names with one slot: refused, see below


@_bounded
@given(_pools, _keys, _pool)
def test_adding_a_pool_changes_nothing_of_the_others(pools, key, pool):
    assume(key not in pools)
    before, after = _nodes(pools), _nodes({**pools, key: pool})
    assert {name: after[name] for name in before} == before


@_bounded
@given(_pools, st.randoms(use_true_random=False))
def test_removing_a_pool_changes_nothing_of_the_others(pools, chance: random.Random):
    assume(pools)
    gone = chance.choice(sorted(pools))
    before = _nodes(pools)
    after = _nodes({key: pool for key, pool in pools.items() if key != gone})
    assert after == {name: node for name, node in before.items() if node.pool != gone}


@_bounded
@given(_pools, st.randoms(use_true_random=False))
def test_the_order_of_pools_means_nothing(pools, chance: random.Random):
    items = list(pools.items())
    chance.shuffle(items)
    config, shuffled = (parse_or_skip(each) for each in (pools, dict(items)))
    assert plan_cluster(shuffled) == plan_cluster(config)


def parse_or_skip(pools):
    try:
        return parse_cluster(raw_cluster(pools=pools))
    except InvalidInputError:
        assume(False)


@_bounded
@given(st.integers(0, 30), st.integers(0, 30), st.sets(st.integers(1, 40), max_size=5))
def test_growing_and_shrinking_a_pool_touches_the_highest_numbers_only(one, other, retired):
    few, many = sorted((one, other))
    pool = {"type": "cx33", "location": "fsn1", "retired": sorted(retired)}
    small, large = _nodes({"web": {**pool, "count": few}}), _nodes({"web": {**pool, "count": many}})
    assert {name: large[name] for name in small} == small
    assert len(large) - len(small) == many - few


@_bounded
@given(st.integers(1, 12), st.data())
def test_retiring_a_number_takes_one_node_away_and_adds_one_at_the_end(count, data):
    gone = data.draw(st.integers(1, count))
    pool = {"type": "cx33", "location": "fsn1", "count": count}
    before, after = _nodes({"web": pool}), _nodes({"web": {**pool, "retired": [gone]}})
    assert set(before) - set(after) == {f"web-{gone}"}
    assert set(after) - set(before) == {f"web-{count + 1}"}
    assert all(after[name] == before[name] for name in set(before) & set(after))


@_bounded
@given(_pools)
def test_no_two_nodes_share_an_address_and_all_are_in_their_pools_range(pools):
    nodes = _nodes(pools)
    assert len({node.address for node in nodes.values()}) == len(nodes)
    assert all(node.address.startswith("10.0.") for node in nodes.values())
    special = {addresses.gateway_address("10.0.0.0/16"), addresses.nat_address("10.0.0.0/16")}
    special.add(addresses.load_balancer_address("10.0.0.0/16"))
    assert not special & {node.address for node in nodes.values()}


@_bounded
@given(_keys)
def test_a_hashed_slot_is_always_a_slot_of_a_worker_pool(key):
    assert addresses.FIRST_SLOT <= addresses.hashed_slot(key) <= addresses.LAST_SLOT


def test_hashed_slots_never_change_between_versions():
    # A change of this table would move the servers of everybody who upgrades.
    assert [addresses.hashed_slot(key) for key in ("cells", "data", "platform", "web")] == [51, 209, 241, 115]


def _twins():
    seen = {}
    for place in range(1000):
        key = f"pool-{place}"
        slot = addresses.hashed_slot(key)
        if slot in seen:
            return seen[slot], key
        seen[slot] = key
    raise AssertionError("a thousand names and no collision")


def test_two_pools_with_one_hashed_slot_are_refused_and_the_remedy_works():
    first, second = _twins()
    pool = {"count": 1, "type": "cx33", "location": "fsn1"}
    with pytest.raises(InvalidInputError) as caught:
        parse_cluster(raw_cluster(pools={first: pool, second: pool}))
    assert "would share address range" in caught.value.message
    assert "`slot: 10` is free" in caught.value.message
    alone = _nodes({first: pool})
    both = _nodes({first: pool, second: {**pool, "slot": 10}})
    assert both[f"{first}-1"] == alone[f"{first}-1"]
    assert both[f"{second}-1"].address == "10.0.10.11"


def test_slots_suffice_for_the_largest_cluster():
    used = [addresses.free_slot(range(10, 10 + taken)) for taken in range(MAX_SERVERS)]
    assert len(set(used)) == MAX_SERVERS


def test_a_number_outside_the_range_has_no_address():
    assert addresses.node_address("10.0.10.0/24", addresses.MAX_NUMBER) == "10.0.10.250"
    with pytest.raises(ValueError, match="not within 1 to 240"):
        addresses.node_address("10.0.10.0/24", 241)


def _servers(pools):
    hetzner, _, _ = declare(raw_cluster(pools=pools))
    groups = {mock_id(name): name for name in hetzner.of_kind("PlacementGroup")}
    servers = {}
    for name, inputs in hetzner.of_kind("Server").items():
        kept = {key: inputs.get(key) for key in _REPLACING}
        kept["placementGroupId"] = groups[int(inputs["placementGroupId"])]
        kept["networks"] = [
            {key: value for key, value in net.items() if key != "networkId"} for net in inputs["networks"]
        ]
        servers[name] = kept
    subnets = {name: inputs["ipRange"] for name, inputs in hetzner.of_kind("NetworkSubnet").items()}
    return servers, subnets


def test_whole_programs_keep_what_stays_when_pools_are_added_removed_and_reordered():
    web = {"count": 11, "type": "cx33", "location": "fsn1"}
    data = {"count": 2, "type": "cax21", "location": "nbg1"}
    cells = {"count": 3, "type": "cpx32", "location": "hel1"}
    servers, subnets = _servers({"web": web, "data": data})
    more, more_subnets = _servers({"cells": cells, "data": data, "web": web})
    assert {name: more[name] for name in servers} == servers
    assert {name: more_subnets[name] for name in subnets} == subnets
    fewer, _ = _servers({"data": data})
    assert fewer == {name: server for name, server in servers.items() if "web" not in name}
