"""The load balancer before the kube API, inside the private network.

It has no public side on purpose: Hetzner's firewalls do not cover load balancers, so a public one would open the API to
the internet whatever the API's source ranges say. People reach the API at the control planes' own addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.kubeconfig import API_PORT
from clawstack.cluster.labels import selector
from clawstack.components.hetzner import number
from clawstack.labels import platform_labels


@dataclass(frozen=True, kw_only=True)
class ApiBalancerArgs:
    """What the load balancer depends on."""

    type: str
    location: str
    network_id: pulumi.Input[int]
    address: str
    protection: bool
    subnet: pulumi.Resource
    targets: Sequence[pulumi.Resource] = ()
    """The control planes: they are found by label, which needs them to be there."""


class ApiBalancer(pulumi.ComponentResource):
    """Load balancer, private interface, service on 6443, targets by label."""

    address: str
    """Private address."""

    def __init__(self, name: str, args: ApiBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:ApiBalancer", name, None, opts)
        self._name, self._args = name, args
        self.address = args.address
        self.balancer = hcloud.LoadBalancer(
            f"{name}-api",
            name=f"{name}-api",
            load_balancer_type=args.type,
            location=args.location,
            algorithm=hcloud.LoadBalancerAlgorithmArgs(type="least_connections"),
            labels=platform_labels(cluster=name, role="api"),
            delete_protection=args.protection,
            opts=pulumi.ResourceOptions(parent=self),
        )
        interface = self._interface()
        self._targets(interface, self._service(interface))
        self.register_outputs({"address": args.address})

    def _interface(self) -> hcloud.LoadBalancerNetwork:
        return hcloud.LoadBalancerNetwork(
            f"{self._name}-api-interface",
            load_balancer_id=number(self.balancer),
            network_id=self._args.network_id,
            ip=self._args.address,
            enable_public_interface=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.subnet]),
        )

    def _service(self, interface: hcloud.LoadBalancerNetwork) -> hcloud.LoadBalancerService:
        return hcloud.LoadBalancerService(
            f"{self._name}-api-service",
            load_balancer_id=self.balancer.id,
            protocol="tcp",
            listen_port=API_PORT,
            destination_port=API_PORT,
            health_check=hcloud.LoadBalancerServiceHealthCheckArgs(
                protocol="tcp", port=API_PORT, interval=5, timeout=3, retries=3
            ),
            # One action at a time: a balancer that is being changed refuses the next change.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[interface]),
        )

    def _targets(self, *parts: pulumi.Resource) -> None:
        hcloud.LoadBalancerTarget(
            f"{self._name}-api-targets",
            load_balancer_id=number(self.balancer),
            type="label_selector",
            label_selector=selector(self._name, role="control-plane"),
            use_private_ip=True,
            # Targets by private address need the balancer to be in the network first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*parts, *self._args.targets]),
        )
