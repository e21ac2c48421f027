"""The whole cluster, top to bottom: network, firewalls, control plane, balancer, workers, volumes, names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

from clawstack.cluster import addresses, user_data
from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.kubeconfig import kubeconfig
from clawstack.cluster.plan import CONTROL_PLANE, INFRASTRUCTURE, ClusterPlan, Node, plan_cluster
from clawstack.components.credentials import ClusterCredentials, ClusterCredentialsArgs
from clawstack.components.dns import DnsRecords, DnsRecordsArgs
from clawstack.components.firewall import ClusterFirewalls, ClusterFirewallsArgs
from clawstack.components.load_balancer import ApiBalancer, ApiBalancerArgs
from clawstack.components.nat import NatGateway, NatGatewayArgs
from clawstack.components.network import ClusterNetwork, ClusterNetworkArgs
from clawstack.components.placement import PlacementGroups, PlacementGroupsArgs
from clawstack.components.servers import ControlPlane, ServersArgs, WorkerPool
from clawstack.components.ssh_keys import SshKeys, SshKeysArgs
from clawstack.components.volume import DataVolumes, DataVolumesArgs, VolumeAttachments, VolumeAttachmentsArgs


@dataclass(frozen=True, kw_only=True)
class HetznerClusterArgs:
    """What the cluster depends on."""

    config: ClusterConfig
    today: dt.date
    """Date of issue of certificates that this update makes."""


class HetznerCluster(pulumi.ComponentResource):
    """One K3s cluster. Its name is `config.name`; give it the provider by `ResourceOptions(providers=[...])`."""

    kubeconfig: pulumi.Output[str]
    """Secret."""
    agent_token: pulumi.Output[str]
    """Secret; for machines that the autoscaler makes."""
    addresses: pulumi.Output[dict[str, dict[str, str]]]
    """Private and public address by node name."""

    def __init__(self, args: HetznerClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._config, self._plan = args.config, plan_cluster(args.config)
        super().__init__("clawstack:cluster:Cluster", args.config.name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._credentials = self._make_credentials(args.today)
        self._network = self._make_network()
        self._firewalls = self._make_firewalls()
        self._groups = PlacementGroups(self._config.name, PlacementGroupsArgs(groups=self._plan.groups), self._child)
        self._keys = SshKeys(self._config.name, SshKeysArgs(keys=self._config.ssh_keys), self._child)
        self._volumes = self._make_volumes()
        gateway = self._make_gateway()
        self._user_data = self._user_data_writer()
        planes = self._make_control_plane([gateway.server] if gateway else [])
        self._make_balancer(planes)
        servers = {**planes.servers, **self._make_workers(planes)}
        self._attach_volumes(servers)
        self._make_records(planes)
        self.agent_token = self._credentials.agent_token
        self.kubeconfig = self._make_kubeconfig(planes)
        self.addresses = self._all_addresses(servers)
        self.register_outputs({"kubeconfig": self.kubeconfig, "addresses": self.addresses})

    def _make_credentials(self, today: dt.date) -> ClusterCredentials:
        config = self._config
        return ClusterCredentials(
            config.name,
            ClusterCredentialsArgs(today=today, protection=config.protection, rotation=config.credentials_rotation),
            self._child,
        )

    def _make_network(self) -> ClusterNetwork:
        config = self._config
        args = ClusterNetworkArgs(
            range=config.network_range,
            subnets=self._plan.subnets,
            protection=config.protection,
            gateway=addresses.nat_address(config.network_range) if config.nat else None,
        )
        return ClusterNetwork(config.name, args, self._child)

    def _make_firewalls(self) -> ClusterFirewalls:
        config = self._config
        args = ClusterFirewallsArgs(
            ssh_sources=config.ssh_sources, api_sources=config.api_sources, web_sources=config.web_sources
        )
        return ClusterFirewalls(config.name, args, self._child)

    def _make_gateway(self) -> NatGateway | None:
        config = self._config
        if config.nat is None:
            return None
        args = NatGatewayArgs(
            type=config.nat.type,
            image=config.nat.image,
            location=config.control_plane.locations[0],
            generation=config.nat.generation,
            network_id=self._network.network_id,
            network_range=config.network_range,
            address=addresses.nat_address(config.network_range),
            subnet=self._network.subnet(INFRASTRUCTURE),
            firewall_id=self._firewalls.node_id,
            ssh_key_ids=self._keys.key_ids,
        )
        return NatGateway(config.name, args, self._child)

    def _user_data_writer(self) -> Callable[[Node], pulumi.Input[str]]:
        config, secrets = self._config, self._credentials
        cluster = user_data.cluster_settings(config, self._plan)

        def write(node: Node) -> pulumi.Output[str]:
            settings = user_data.node_settings(node, cluster)
            volumes = pulumi.Output.all(**(self._volumes.ids_on(node.name) if self._volumes else {}))
            return pulumi.Output.all(secrets.server_token, secrets.agent_token, secrets.authorities, volumes).apply(
                lambda values: user_data.node_user_data(
                    settings,
                    token=values[0],
                    agent_token=values[1],
                    authorities=values[2],
                    extras=user_data.NodeExtras(
                        network_range=None if node.public else config.network_range,
                        mounts={key: (values[3][key], config.volumes[key].format) for key in values[3]},
                    ),
                )
            )

        return write

    def _servers_args(
        self, pool: str, nodes: tuple[Node, ...], firewall: pulumi.Output[int], after: list[pulumi.Resource]
    ) -> ServersArgs:
        return ServersArgs(
            cluster=self._config.name,
            nodes=nodes,
            network_id=self._network.network_id,
            subnet=self._network.subnet(pool),
            firewall_id=firewall,
            group_id=self._groups.group_id,
            ssh_key_ids=self._keys.key_ids,
            user_data=self._user_data,
            after=after,
        )

    def _make_control_plane(self, after: list[pulumi.Resource]) -> ControlPlane:
        nodes = self._plan.control_planes
        args = self._servers_args(CONTROL_PLANE, nodes, self._firewalls.control_plane_id, after)
        return ControlPlane(f"{self._config.name}-{CONTROL_PLANE}", args, self._child)

    def _make_balancer(self, planes: ControlPlane) -> None:
        config = self._config
        if config.api_load_balancer is None:
            return
        args = ApiBalancerArgs(
            type=config.api_load_balancer.type,
            location=config.control_plane.locations[0],
            network_id=self._network.network_id,
            address=addresses.load_balancer_address(config.network_range),
            protection=config.protection,
            subnet=self._network.subnet(INFRASTRUCTURE),
            targets=list(planes.servers.values()),
        )
        ApiBalancer(config.name, args, self._child)

    def _make_workers(self, planes: ControlPlane) -> Mapping[str, hcloud.Server]:
        servers: dict[str, hcloud.Server] = {}
        for key in sorted(self._config.pools):
            nodes = tuple(node for node in self._plan.workers if node.pool == key)
            args = self._servers_args(key, nodes, self._firewalls.node_id, list(planes.servers.values()))
            servers |= WorkerPool(f"{self._config.name}-{key}", args, self._child).servers
        return servers

    def _make_volumes(self) -> DataVolumes | None:
        if not self._config.volumes:
            return None
        args = DataVolumesArgs(
            volumes=self._config.volumes,
            locations={node.name: node.location for node in self._plan.nodes()},
            protection=self._config.protection,
        )
        return DataVolumes(self._config.name, args, self._child)

    def _attach_volumes(self, servers: Mapping[str, hcloud.Server]) -> None:
        if self._volumes is not None:
            args = VolumeAttachmentsArgs(volumes=self._config.volumes, made=self._volumes.volumes, servers=servers)
            VolumeAttachments(self._config.name, args, self._child)

    def _make_records(self, planes: ControlPlane) -> None:
        dns = self._config.dns
        if dns is None:
            return
        args = DnsRecordsArgs(
            zone=dns.zone,
            create_zone=dns.create_zone,
            protection=self._config.protection,
            records=dns.records,
            api_name=dns.api_name,
            api_addresses=[server.ipv4_address for server in planes.servers.values()],
        )
        DnsRecords(self._config.name, args, self._child)

    def _make_kubeconfig(self, planes: ControlPlane) -> pulumi.Output[str]:
        reached = [_reached_at(node, planes.servers[node.name]) for node in self._plan.control_planes]
        text = pulumi.Output.all(self._credentials.authorities, self._credentials.administrator, *reached).apply(
            lambda values: kubeconfig(
                cluster=self._config.name,
                addresses=values[2:],
                server_authority=values[0]["server-ca"].certificate,
                administrator=values[1],
            )
        )
        return pulumi.Output.secret(text)

    def _all_addresses(self, servers: Mapping[str, hcloud.Server]) -> pulumi.Output[dict[str, dict[str, str]]]:
        public = {node.name: servers[node.name].ipv4_address if node.public else "" for node in self._plan.nodes()}
        return pulumi.Output.all(**public).apply(lambda known: address_book(self._plan, known))


def _reached_at(node: Node, server: hcloud.Server) -> pulumi.Input[str]:
    return server.ipv4_address if node.public else node.address


def address_book(plan: ClusterPlan, public: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Private and, where there is one, public address by node name."""
    return {
        node.name: {"private": node.address} | ({"public": str(public[node.name])} if public[node.name] else {})
        for node in plan.nodes()
    }
