"""Rules that span sections of the cluster's configuration: each yields where, what is wrong and what would be right."""

from __future__ import annotations

from collections.abc import Iterator

from clawstack.cluster.addresses import MAX_NUMBER, colliding, free_slot
from clawstack.cluster.config import MAX_SERVERS, RESERVED_POOLS, ClusterConfig
from clawstack.cluster.offers import shipped_offers

Problem = tuple[str, str]
"""Path below `clawstack:cluster`, sentence."""
_MAX_SUBNETS = 50
_MAX_PLACEMENT_GROUPS = 50
_MAX_VOLUMES_PER_SERVER = 16
_MAX_RULE_SOURCES = 100
GROUP_SIZE = 10
"""Servers in one spread placement group."""


def problems(config: ClusterConfig) -> Iterator[Problem]:
    """Everything that no section can see by itself, in the order in which an operator would mend it."""
    yield from _control_plane(config)
    yield from _pools(config)
    yield from _slots(config)
    yield from _reach(config)
    yield from _volumes(config)
    yield from _limits(config)


def _sold(path: str, type_: str, location: str) -> Iterator[Problem]:
    offers = shipped_offers()
    if offers.price(type_, location) is None:
        yield path, f"{type_} is not sold at {location}; there are {', '.join(offers.types_at(location))}"


def _control_plane(config: ClusterConfig) -> Iterator[Problem]:
    plane = config.control_plane
    zones = {shipped_offers().locations[location].zone for location in plane.locations}
    if len(zones) > 1:
        yield (
            "controlPlane.locations",
            (
                f"{', '.join(plane.locations)} lie in {len(zones)} network zones ({', '.join(sorted(zones))}); "
                "etcd needs short ways: choose locations of one zone"
            ),
        )
    for location in dict.fromkeys(plane.locations):
        yield from _sold("controlPlane.type", plane.type, location)
    unlocked = () if plane.unlocked is None else (plane.unlocked,)
    for path, numbers in (("generations", tuple(plane.generations)), ("unlocked", unlocked)):
        for number in numbers:
            if number > plane.count:
                yield f"controlPlane.{path}", f"there is no control plane {number}; there are 1 to {plane.count}"


def _pools(config: ClusterConfig) -> Iterator[Problem]:
    for key, pool in config.pools.items():
        path = f"pools.{key}"
        if key in RESERVED_POOLS:
            yield (
                path,
                f"{key!r} is the name of a part of the cluster; choose another (not {', '.join(sorted(RESERVED_POOLS))})",
            )
        yield from _sold(f"{path}.type", pool.type, pool.location)
        if pool.count + len(pool.retired) > MAX_NUMBER:
            yield (
                f"{path}.retired",
                f"{pool.count} nodes and {len(pool.retired)} retired numbers exceed {MAX_NUMBER}; make a new pool",
            )


def _slots(config: ClusterConfig) -> Iterator[Problem]:
    slots = {key: pool.effective_slot(key) for key, pool in config.pools.items()}
    pair = colliding(slots)
    if pair is None:
        return
    first, second = pair
    yield (
        f"pools.{second}.slot",
        (
            f"pools {first} and {second} would share address range {slots[first]}; give the one that you are adding "
            f"a range of its own (`slot: {free_slot(slots.values())}` is free) and leave the other as it is, "
            "or its servers would be replaced"
        ),
    )


def _reach(config: ClusterConfig) -> Iterator[Problem]:
    private = [key for key, pool in config.pools.items() if not pool.public]
    private += [] if config.control_plane.public else ["the control plane"]
    if private and config.nat is None:
        yield (
            "nat",
            f"{', '.join(private)} have no public address and would reach nothing; add `nat: {{}}` or set `public: true`",
        )
    if config.nat is not None:
        yield from _sold("nat.type", config.nat.type, config.control_plane.locations[0])
    for path in ("ssh_sources", "api_sources", "web_sources"):
        if len(getattr(config, path)) > _MAX_RULE_SOURCES:
            yield path, f"a firewall rule takes {_MAX_RULE_SOURCES} ranges; join neighbours into wider ones"
    if config.dns is not None and config.dns.api_name and not config.control_plane.public:
        yield "dns.apiName", "the control plane has no public address to which the name could lead; leave it out"


def _volumes(config: ClusterConfig) -> Iterator[Problem]:
    names = node_names(config)
    for key, volume in config.volumes.items():
        if volume.node not in names:
            yield (
                f"volumes.{key}.node",
                f"there is no node {volume.node[:60]!r}; choose one of {', '.join(sorted(names)[:12])}",
            )
    for node in {volume.node for volume in config.volumes.values()}:
        count = sum(volume.node == node for volume in config.volumes.values())
        if count > _MAX_VOLUMES_PER_SERVER:
            yield "volumes", f"{node} would have {count} volumes; a server takes {_MAX_VOLUMES_PER_SERVER}"


def _limits(config: ClusterConfig) -> Iterator[Problem]:
    servers = len(node_names(config)) + (config.nat is not None) + (config.api_load_balancer is not None)
    if servers > MAX_SERVERS:
        yield "pools", f"{servers} servers and load balancers; a private network takes {MAX_SERVERS}"
    if len(config.pools) + 2 > _MAX_SUBNETS:
        yield "pools", f"{len(config.pools)} pools need as many subnets; a network takes {_MAX_SUBNETS}, two are ours"
    groups = 1 + sum(len(placement_shards(pool_numbers(config, key))) for key in config.pools)
    if groups > _MAX_PLACEMENT_GROUPS:
        yield "pools", f"{groups} placement groups; a project takes {_MAX_PLACEMENT_GROUPS}: use fewer, larger pools"


def pool_numbers(config: ClusterConfig, key: str) -> list[int]:
    """Numbers of the nodes of a pool: the lowest that are not retired."""
    pool = config.pools[key]
    free = (number for number in range(1, MAX_NUMBER + 1) if number not in pool.retired)
    return [number for number, _ in zip(free, range(pool.count), strict=False)]


def placement_shards(numbers: list[int]) -> set[int]:
    """Shards that nodes with these numbers need: a node's shard follows from its own number."""
    return {(number - 1) // GROUP_SIZE + 1 for number in numbers}


def node_names(config: ClusterConfig) -> set[str]:
    """Names of all nodes without the cluster's name before them: `control-plane-1`, `web-3`."""
    names = {f"control-plane-{number}" for number in range(1, config.control_plane.count + 1)}
    return names | {f"{key}-{number}" for key in config.pools for number in pool_numbers(config, key)}
