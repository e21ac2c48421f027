"""The private network of a cluster, one subnet for each pool, and the route out for nodes without public addresses."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.plan import Subnet
from clawstack.components.hetzner import number
from clawstack.labels import platform_labels


@dataclass(frozen=True, kw_only=True)
class ClusterNetworkArgs:
    """What the network depends on."""

    range: str
    subnets: tuple[Subnet, ...]
    protection: bool
    gateway: str | None = None
    """Private address of the NAT gateway, where there is one."""


class ClusterNetwork(pulumi.ComponentResource):
    """Network, subnets, route."""

    network_id: pulumi.Output[int]

    def __init__(self, name: str, args: ClusterNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:Network", name, None, opts)
        self._name = name
        self.network = hcloud.Network(
            f"{name}-network",
            name=name,
            ip_range=args.range,
            labels=platform_labels(cluster=name, role="network"),
            delete_protection=args.protection,
            # Every address and every server hangs on it.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protection),
        )
        self.network_id = number(self.network)
        self.subnets: dict[str, hcloud.NetworkSubnet] = {}
        for subnet in args.subnets:
            self.subnets[subnet.key] = self._subnet(subnet)
        if args.gateway is not None:
            self._route(args.gateway)
        self.register_outputs({"networkId": self.network_id})

    def subnet(self, key: str) -> hcloud.NetworkSubnet:
        """The subnet of a pool, to depend on: a server can only join a subnet that is there."""
        return self.subnets[key]

    def _subnet(self, subnet: Subnet) -> hcloud.NetworkSubnet:
        return hcloud.NetworkSubnet(
            f"{self._name}-{subnet.key}",
            network_id=self.network_id,
            type="cloud",
            network_zone=subnet.zone,
            ip_range=subnet.range,
            # Hetzner changes one network by one action at a time and answers the others with a conflict: in a row they
            # are through in half a second each, side by side they wait for each other's retries (seen: 5 s for four).
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self.subnets.values())[-1:]),
        )

    def _route(self, gateway: str) -> None:
        hcloud.NetworkRoute(
            f"{self._name}-way-out",
            network_id=self.network_id,
            destination="0.0.0.0/0",
            gateway=gateway,
            # The gateway's address must lie in a subnet that is there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self.subnets.values())),
        )
