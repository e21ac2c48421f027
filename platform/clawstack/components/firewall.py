"""Firewalls: what may reach servers from outside the private network. Everything else inbound is dropped by Hetzner.

Left out on purpose: outbound rules. One of them turns the default from allow-all to deny-all, and a rule set takes 50
entries only; egress of tenants is the network policies' matter. Traffic inside the private network passes no firewall,
and load balancers have none: that is why the API's load balancer has no public side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.kubeconfig import API_PORT
from clawstack.cluster.ranges import admin_source
from clawstack.components.hetzner import number
from clawstack.errors import InvalidInputError
from clawstack.labels import platform_labels

_SSH_PORT = "22"
_WEB_PORTS = ("80", "443")


@dataclass(frozen=True, kw_only=True)
class ClusterFirewallsArgs:
    """Who may reach what. Raises InvalidInputError for no source and for the whole internet."""

    ssh_sources: Sequence[str]
    api_sources: Sequence[str]
    web_sources: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, sources in (("ssh_sources", self.ssh_sources), ("api_sources", self.api_sources)):
            if not sources:
                raise InvalidInputError(
                    f"{name} is empty; the firewall needs at least one range.",
                    code="bad_cluster_config",
                    remedy="Name the ranges of your office, VPN or bastion, for example 203.0.113.7/32.",
                )
            for source in sources:
                _refuse_public(name, source)


def _refuse_public(name: str, source: str) -> None:
    try:
        admin_source(source)
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}.", code="bad_cluster_config") from None


class ClusterFirewalls(pulumi.ComponentResource):
    """One firewall for control planes, one for every other server."""

    control_plane_id: pulumi.Output[int]
    node_id: pulumi.Output[int]

    def __init__(self, name: str, args: ClusterFirewallsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:Firewalls", name, None, opts)
        self.control_plane_id = number(self._firewall(name, "control-plane", list(control_plane_rules(args))))
        self.node_id = number(self._firewall(name, "node", list(node_rules(args))))
        self.register_outputs({"controlPlaneId": self.control_plane_id, "nodeId": self.node_id})

    def _firewall(self, name: str, role: str, rules: list[hcloud.FirewallRuleArgs]) -> hcloud.Firewall:
        return hcloud.Firewall(
            f"{name}-{role}",
            name=f"{name}-{role}",
            rules=rules,
            labels=platform_labels(cluster=name, role=role),
            opts=pulumi.ResourceOptions(parent=self),
        )


def control_plane_rules(args: ClusterFirewallsArgs) -> Iterator[hcloud.FirewallRuleArgs]:
    """SSH, the kube API and ping, each from its sources."""
    yield from _administration(args)
    yield _tcp(str(API_PORT), args.api_sources, "kube API")


def node_rules(args: ClusterFirewallsArgs) -> Iterator[hcloud.FirewallRuleArgs]:
    """SSH and ping; web ports where the operator opened them."""
    yield from _administration(args)
    if args.web_sources:
        for port in _WEB_PORTS:
            yield _tcp(port, args.web_sources, "web")


def _administration(args: ClusterFirewallsArgs) -> Iterator[hcloud.FirewallRuleArgs]:
    yield _tcp(_SSH_PORT, args.ssh_sources, "SSH")
    yield hcloud.FirewallRuleArgs(
        direction="in", protocol="icmp", source_ips=list(args.ssh_sources), description="ping"
    )


def _tcp(port: str, sources: Sequence[str], description: str) -> hcloud.FirewallRuleArgs:
    return hcloud.FirewallRuleArgs(
        direction="in", protocol="tcp", port=port, source_ips=list(sources), description=description
    )
