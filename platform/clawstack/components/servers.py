"""Servers of a cluster: the control plane, and pools of workers.

**Nothing replaces a server by accident.** User data, image and SSH keys matter at the first boot only, so changes of them
are ignored until the node's `generation` is raised. A changed type is resized in place by the provider; a changed
location or generation replaces. **Order**: each control plane waits for the one before it, workers wait for all of them.
**One at a time**: with protection on the engine refuses to replace any control plane but the one that an earlier update
unlocked.

Names and private addresses exist once, so a server is deleted before its successor is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster.plan import Node
from clawstack.labels import platform_labels

#: Read by cloud-init once; see the module's docstring.
FIRST_BOOT_ONLY = ["userData", "sshKeys", "image"]


@dataclass(frozen=True, kw_only=True)
class ServersArgs:
    """What servers of one kind share."""

    cluster: str
    nodes: Sequence[Node]
    network_id: pulumi.Input[int]
    subnet: pulumi.Resource
    """Waited for: a server joins a subnet that is there."""
    firewall_id: pulumi.Input[int]
    group_id: Callable[[str], pulumi.Input[int]]
    ssh_key_ids: Sequence[pulumi.Input[str]]
    user_data: Callable[[Node], pulumi.Input[str]]
    """Secret: it carries the token by which the node joins."""
    after: Sequence[pulumi.Resource] = ()
    """What must exist before the first of these servers."""


class ControlPlane(pulumi.ComponentResource):
    """The control planes, made one after the other."""

    servers: Mapping[str, hcloud.Server]
    """By node name."""

    def __init__(self, name: str, args: ServersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:ControlPlane", name, None, opts)
        servers: dict[str, hcloud.Server] = {}
        for node in args.nodes:
            servers[node.name] = make_server(self, args, node, after=[*args.after, *servers.values()])
        self.servers = servers
        self.register_outputs({"addresses": {node.name: node.address for node in args.nodes}})


class WorkerPool(pulumi.ComponentResource):
    """The workers of one pool, made side by side."""

    servers: Mapping[str, hcloud.Server]
    """By node name."""

    def __init__(self, name: str, args: ServersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:WorkerPool", name, None, opts)
        self.servers = {node.name: make_server(self, args, node, after=args.after) for node in args.nodes}
        self.register_outputs({"addresses": {node.name: node.address for node in args.nodes}})


def make_server(
    parent: pulumi.Resource, args: ServersArgs, node: Node, *, after: Sequence[pulumi.Resource]
) -> hcloud.Server:
    """One server as a child of `parent`, made after `after`."""
    name = f"{args.cluster}-{node.name}"
    return hcloud.Server(
        name,
        name=name,
        server_type=node.server_type,
        location=node.location,
        image=node.image,
        labels=platform_labels(cluster=args.cluster, role=node.role, pool=node.pool),
        ssh_keys=list(args.ssh_key_ids),
        # Hetzner takes no firewall for a server without a public side (private_net_only_server).
        firewall_ids=[args.firewall_id] if node.public else [],
        placement_group_id=args.group_id(node.group),
        public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=node.public, ipv6_enabled=node.public)],
        # Without `alias_ips=[]` the provider detaches and attaches the network at every update (its documentation).
        networks=[hcloud.ServerNetworkArgs(network_id=args.network_id, ip=node.address, alias_ips=[])],
        user_data=pulumi.Output.secret(args.user_data(node)),
        # The disk keeps its size, so that a larger type can be undone.
        keep_disk=True,
        backups=node.backups,
        # The provider refuses to delete what Hetzner protects, also when it is to be replaced: one update unlocks, the
        # next replaces. Workers are not protected, or no pool could shrink.
        delete_protection=node.locked,
        rebuild_protection=node.locked,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[args.subnet, *after],
            delete_before_replace=True,
            ignore_changes=FIRST_BOOT_ONLY,
            replacement_trigger=node.generation,
            protect=node.locked,
        ),
    )
