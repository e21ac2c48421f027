"""What belongs to a cluster at Hetzner, found by the official client: by label, and by where controllers put things.

Controllers inside the cluster (cloud controller, CSI driver, autoscaler) make load balancers, volumes and servers that no
Pulumi state knows. They are told by the controllers' own labels together with this cluster's network or servers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import hcloud

from clawstack.cluster.labels import AUTOSCALER_GROUP, CCM_SERVICE, CSI_DRIVER, CSI_MANAGED_BY, selector
from clawstack.labels import CLUSTER


class Maker(StrEnum):
    """Who made a thing."""

    CONTROLLERS = "controllers"
    """Hetzner's controllers inside the cluster: no Pulumi state knows it."""
    STACK = "stack"
    """The platform stack: it carries the cluster's labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """One thing that is billed or in the way."""

    kind: str
    """The client's word: `servers`, `load_balancers`, ..."""
    id: int | str
    name: str
    maker: Maker
    protected: bool
    bound: Any
    """The client's own object, to act on."""

    def sentence(self) -> str:
        """For people."""
        return f"{self.kind} {self.name} ({self.id}), made by {'controllers of the cluster' if self.maker is Maker.CONTROLLERS else 'the stack'}"


#: In the order in which they can be deleted: what uses another comes before it.
DELETION_ORDER: Final = (
    "load_balancers",
    "servers",
    "volumes",
    "floating_ips",
    "primary_ips",
    "images",
    "firewalls",
    "placement_groups",
    "networks",
    "certificates",
    "ssh_keys",
    "rrsets",
    "zones",
)
_LABELLED: Final = tuple(kind for kind in DELETION_ORDER if kind not in {"rrsets", "images"})


def find_leftovers(client: hcloud.Client, cluster: str) -> list[Leftover]:
    """Everything that carries the cluster's labels and everything that its controllers made, in order of deletion."""
    found = [*_of_stack(client, cluster), *_of_controllers(client, cluster)]
    once: Mapping[tuple[str, int | str], Leftover] = {(each.kind, each.id): each for each in found}
    return sorted(once.values(), key=lambda each: (DELETION_ORDER.index(each.kind), each.name))


def _of_stack(client: hcloud.Client, cluster: str) -> Iterator[Leftover]:
    wanted = selector(cluster)
    for kind in _LABELLED:
        for bound in getattr(client, kind).get_all(label_selector=wanted):
            yield _leftover(kind, bound, Maker.STACK)
    for bound in client.images.get_all(label_selector=wanted, type=["snapshot"]):
        yield _leftover("images", bound, Maker.STACK)
    for zone in client.zones.get_all():
        for rrset in zone.get_rrset_all(label_selector=wanted):
            yield Leftover(
                kind="rrsets",
                id=f"{zone.name}/{rrset.id}",
                name=f"{rrset.name}.{zone.name} {rrset.type}",
                maker=Maker.STACK,
                protected=False,
                bound=rrset,
            )


def _of_controllers(client: hcloud.Client, cluster: str) -> Iterator[Leftover]:
    networks: set[int | None] = {network.id for network in client.networks.get_all(label_selector=selector(cluster))}
    servers = client.servers.get_all()
    inside = {server.id for server in servers if _in_networks(server, networks)}
    for balancer in client.load_balancers.get_all(label_selector=CCM_SERVICE):
        if _in_networks(balancer, networks) or _labels(balancer).get(CLUSTER) == cluster:
            yield _leftover("load_balancers", balancer, Maker.CONTROLLERS)
    for server in servers:
        if AUTOSCALER_GROUP in _labels(server) and server.id in inside:
            yield _leftover("servers", server, Maker.CONTROLLERS)
    for volume in client.volumes.get_all(label_selector=f"{CSI_MANAGED_BY}={CSI_DRIVER}"):
        ours = volume.server is not None and volume.server.id in inside
        if ours or _labels(volume).get(CLUSTER) == cluster:
            yield _leftover("volumes", volume, Maker.CONTROLLERS)


def _in_networks(bound: Any, networks: Container[int | None]) -> bool:
    return any(private.network.id in networks for private in bound.private_net or [])


def _labels(bound: Any) -> Mapping[str, str]:
    labels: Mapping[str, str] = bound.labels or {}
    return labels


def _leftover(kind: str, bound: Any, maker: Maker) -> Leftover:
    protection = getattr(bound, "protection", None) or {}
    # The cluster label alone does not say who made it: the CSI driver writes it too where it is told to.
    if (
        CCM_SERVICE in bound.labels
        or AUTOSCALER_GROUP in bound.labels
        or bound.labels.get(CSI_MANAGED_BY) == CSI_DRIVER
    ):
        maker = Maker.CONTROLLERS
    return Leftover(
        kind=kind, id=bound.id, name=bound.name, maker=maker, protected=bool(protection.get("delete")), bound=bound
    )


def made_by(leftovers: Iterable[Leftover], maker: Maker | None) -> list[Leftover]:
    """Those of one maker, or all."""
    return [each for each in leftovers if maker is None or each.maker is maker]


def unrecorded(leftovers: Iterable[Leftover], recorded: Callable[[str, int | str], bool]) -> list[Leftover]:
    """Those of the stack that its state does not know: what an interrupted update made and could not write down."""
    return [each for each in leftovers if each.maker is Maker.STACK and not recorded(each.kind, each.id)]
