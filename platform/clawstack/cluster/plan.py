"""What the cluster consists of, decided from the configuration alone: pure, one object, no Pulumi."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from clawstack.cluster import addresses
from clawstack.cluster.config import ClusterConfig, PoolTaint
from clawstack.cluster.offers import Arch, shipped_offers
from clawstack.cluster.rules import GROUP_SIZE, pool_numbers

CONTROL_PLANE: Final = "control-plane"
INFRASTRUCTURE: Final = "infrastructure"
Role = Literal["control-plane", "worker"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subnet:
    """One /24 of the network."""

    key: str
    range: str
    zone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One server of the cluster."""

    name: str
    """Without the cluster's name: `web-3`."""
    role: Role
    pool: str
    number: int
    server_type: str
    arch: Arch
    location: str
    image: str
    address: str
    group: str
    """Placement group."""
    public: bool
    generation: int
    backups: bool = False
    locked: bool = False
    """Pulumi refuses to delete or replace it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[PoolTaint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterPlan:
    """Everything that will be made, in the order in which it joins."""

    name: str
    subnets: tuple[Subnet, ...]
    groups: tuple[str, ...]
    control_planes: tuple[Node, ...]
    workers: tuple[Node, ...]

    def nodes(self) -> tuple[Node, ...]:
        """Control planes first."""
        return self.control_planes + self.workers


def plan_cluster(config: ClusterConfig) -> ClusterPlan:
    """The plan of a checked configuration (see `reading.parse_cluster`)."""
    workers = tuple(node for key in sorted(config.pools) for node in _workers(config, key))
    planes = _control_planes(config)
    groups = dict.fromkeys(node.group for node in planes + workers)
    return ClusterPlan(
        name=config.name, subnets=_subnets(config), groups=tuple(groups), control_planes=planes, workers=workers
    )


def _subnets(config: ClusterConfig) -> tuple[Subnet, ...]:
    locations = shipped_offers().locations
    home = locations[config.control_plane.locations[0]].zone
    network = config.network_range
    own = (
        Subnet(key=INFRASTRUCTURE, range=addresses.infrastructure_range(network), zone=home),
        Subnet(key=CONTROL_PLANE, range=addresses.control_plane_range(network), zone=home),
    )
    return own + tuple(
        Subnet(key=key, range=_pool_range(config, key), zone=locations[pool.location].zone)
        for key, pool in sorted(config.pools.items())
    )


def _pool_range(config: ClusterConfig, key: str) -> str:
    return addresses.slot_range(config.network_range, config.pools[key].effective_slot(key))


def _control_planes(config: ClusterConfig) -> tuple[Node, ...]:
    plane = config.control_plane
    subnet = addresses.control_plane_range(config.network_range)
    return tuple(
        Node(
            name=f"{CONTROL_PLANE}-{number}",
            role="control-plane",
            pool=CONTROL_PLANE,
            number=number,
            server_type=plane.type,
            arch=shipped_offers().server_types[plane.type].arch,
            location=plane.locations[(number - 1) % len(plane.locations)],
            image=plane.image,
            address=addresses.node_address(subnet, number),
            group=f"{CONTROL_PLANE}-1",
            public=plane.public,
            backups=plane.backups,
            generation=plane.generations.get(number, 1),
            locked=config.protection and plane.unlocked != number,
        )
        for number in range(1, plane.count + 1)
    )


def _workers(config: ClusterConfig, key: str) -> tuple[Node, ...]:
    pool, subnet = config.pools[key], _pool_range(config, key)
    return tuple(
        Node(
            name=f"{key}-{number}",
            role="worker",
            pool=key,
            number=number,
            server_type=pool.type,
            arch=shipped_offers().server_types[pool.type].arch,
            location=pool.location,
            image=pool.image,
            address=addresses.node_address(subnet, number),
            group=f"{key}-{(number - 1) // GROUP_SIZE + 1}",
            public=pool.public,
            generation=pool.generation,
            labels=pool.labels,
            taints=pool.taints,
        )
        for number in pool_numbers(config, key)
    )
