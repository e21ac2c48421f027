"""A server cell as Pulumi resources: volume and firewall for as long as the cell lives, a machine while it runs.

The volume is protected against deletion at Hetzner; the driver lifts that after the last verified backup, just before
the stack is destroyed. Whether the machine gets ready is judged by the driver: Hetzner knows only that it is switched on.
"""

from __future__ import annotations

from datetime import date

import pulumi
import pulumi_hcloud as hcloud
from typing_extensions import override

from clawstack.errors import InvalidInputError
from tenants.builder import DeclaredCell, SubstrateBuilder
from tenants.server import NAME
from tenants.server.plan import PlannedServer, ServerPlan, build_plan
from tenants.server.settings import DnsZone, ServerSettings
from tenants.spec import CellSpec


class ServerCell(pulumi.ComponentResource):
    """One cell of the `server` substrate."""

    endpoint: pulumi.Output[str]
    state_directory: pulumi.Output[str]
    openclaw_version: pulumi.Output[str]
    pid: pulumi.Output[int]

    def __init__(
        self, name: str, plan: ServerPlan, settings: ServerSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("clawstack:tenants:ServerCell", name, None, opts)
        self._provider = hcloud.Provider(
            f"{name}-project",
            token=pulumi.Output.secret(settings.token.get_secret_value()),
            endpoint=settings.endpoint,
            poll_interval=settings.poll_interval,
            opts=pulumi.ResourceOptions(parent=self),
        )
        volume = self._volume(name, plan)
        firewall = self._firewall(name, plan)
        if plan.machine is not None:
            server = self._server(name, plan, plan.machine, firewall)
            self._attach(name, server, volume)
            if plan.dns is not None:
                self._record(name, plan, plan.dns, server, ipv4=plan.machine.public_ipv4)
        self.endpoint = pulumi.Output.from_input(plan.endpoint)
        self.state_directory = pulumi.Output.from_input(plan.state_directory)
        self.openclaw_version = pulumi.Output.from_input(plan.version)
        self.pid = pulumi.Output.from_input(0)
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "stateDirectory": self.state_directory,
                "openclawVersion": self.openclaw_version,
            }
        )

    def _child(
        self, *, ignore_changes: list[str] | None = None, delete_before_replace: bool | None = None
    ) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._provider,
            ignore_changes=ignore_changes,
            delete_before_replace=delete_before_replace,
        )

    def _volume(self, name: str, plan: ServerPlan) -> hcloud.Volume:
        return hcloud.Volume(
            f"{name}-state",
            name=plan.name,
            location=plan.location,
            size=plan.volume_gb,
            labels=dict(plan.labels),
            delete_protection=True,
            # Another location would mean another volume, and with it an empty state: a move goes through a backup. One on
            # which nobody ever wrote is made anew where its server finds room; the driver lifts its protection.
            opts=self._child(delete_before_replace=True)
            if plan.volume_may_move
            else self._child(ignore_changes=["location"]),
        )

    def _firewall(self, name: str, plan: ServerPlan) -> hcloud.Firewall:
        return hcloud.Firewall(
            f"{name}-firewall",
            name=plan.name,
            labels=dict(plan.labels),
            rules=[
                hcloud.FirewallRuleArgs(
                    direction=rule.direction,
                    protocol=rule.protocol,
                    port=rule.port,
                    source_ips=list(rule.networks) if rule.direction == "in" else None,
                    destination_ips=list(rule.networks) if rule.direction == "out" else None,
                    description=rule.description,
                )
                for rule in plan.rules
            ],
            opts=self._child(),
        )

    def _server(self, name: str, plan: ServerPlan, machine: PlannedServer, firewall: hcloud.Firewall) -> hcloud.Server:
        networks = [hcloud.ServerNetworkArgs(network_id=machine.network_id, alias_ips=[])]
        return hcloud.Server(
            f"{name}-server",
            name=plan.name,
            server_type=machine.server_type,
            image=machine.image,
            location=plan.location,
            labels=dict(plan.labels),
            ssh_keys=list(machine.ssh_keys),
            firewall_ids=[firewall.id.apply(int)],
            public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=machine.public_ipv4, ipv6_enabled=True)],
            networks=networks if machine.network_id is not None else None,
            user_data=pulumi.Output.secret(machine.user_data),
            keep_disk=True,  # a larger disk could never be made small again; state is on the volume
            shutdown_before_deletion=True,
            opts=self._child(
                # A snapshot that has served, or a newer image, is no reason to replace a machine that works.
                ignore_changes=["image", "sshKeys"],
                # Name and volume can be held by one machine only.
                delete_before_replace=True,
            ),
        )

    def _attach(self, name: str, server: hcloud.Server, volume: hcloud.Volume) -> None:
        hcloud.VolumeAttachment(
            f"{name}-attachment",
            server_id=server.id.apply(int),
            volume_id=volume.id.apply(int),
            automount=False,
            opts=self._child(delete_before_replace=True),
        )

    def _record(self, name: str, plan: ServerPlan, zone: DnsZone, server: hcloud.Server, *, ipv4: bool) -> None:
        hcloud.ZoneRrset(
            f"{name}-record",
            zone=zone.name,
            name=plan.slug,
            type="A" if ipv4 else "AAAA",
            ttl=zone.ttl,
            records=[hcloud.ZoneRrsetRecordArgs(value=server.ipv4_address if ipv4 else server.ipv6_address)],
            labels=dict(plan.labels),
            opts=self._child(),
        )


class ServerBuilder(SubstrateBuilder[ServerPlan]):
    """Builds cells of the `server` substrate, for one Hetzner project."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    @override
    def build(self, spec: CellSpec, *, today: date) -> ServerPlan:
        if spec.substrate != NAME:
            raise InvalidInputError(f"Cell {spec.slug} is for {spec.substrate}, not for a server.")
        return build_plan(spec, self._settings, today=today)

    @override
    def component(self, plan: ServerPlan, opts: pulumi.ResourceOptions | None = None) -> DeclaredCell:
        return ServerCell(plan.slug, plan, self._settings, opts)
