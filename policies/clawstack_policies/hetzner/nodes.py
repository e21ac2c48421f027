"""Nodes of a cluster: they talk over a private network, and control planes are backed up."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import (
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from clawstack_policies.hetzner import objects
from clawstack_policies.hetzner.objects import given, of_type, points_at, role
from clawstack_policies.rule import rule, stack_rule


def _lonely(args: StackValidationArgs) -> Iterator[tuple[str, str]]:
    links = list(of_type(args.resources, objects.SERVER_NETWORK))
    for server in of_type(args.resources, objects.SERVER):
        if role(server.props) not in objects.NODE_ROLES:
            continue
        if not given(server, "networks") and not any(points_at(link, "serverId", server) for link in links):
            yield server.urn, f"{server.name} is a node of a cluster without a private network."


def private_network_for_nodes() -> StackValidationPolicy:
    """The traffic between nodes is not for the internet."""
    return stack_rule(
        name="node-require-private-network",
        sentence="Every node of a cluster is joined to a private network.",
        remedy="Give the server networks, or a ServerNetwork in the same stack.",
        severity=Severity.HIGH,
        check=_lonely,
    )


def _unsaved(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type != objects.SERVER or role(args.props) != objects.CONTROL_PLANE:
        return
    if args.props.get("backups") is not True:
        yield f"{args.name} is a control plane without backups."


def backups_for_control_planes() -> ResourceValidationPolicy:
    """A second way back beside the snapshots of etcd."""
    return rule(
        name="node-require-backups",
        sentence="Control planes have Hetzner's daily backups switched on.",
        remedy="Set backups to true; it adds a fifth to the server's price.",
        severity=Severity.HIGH,
        check=_unsaved,
    )
