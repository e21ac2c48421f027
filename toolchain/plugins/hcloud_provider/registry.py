"""All kinds of resources by their token."""

from __future__ import annotations

from typing import Final

from clawstack.errors import InvalidInputError
from toolchain.plugins.hcloud_provider.kinds import (
    attachments,
    dns,
    firewall,
    load_balancer,
    load_balancer_service,
    load_balancer_target,
    network,
    server,
    small,
    volume,
)
from toolchain.plugins.hcloud_provider.model.resource import Resource

_ALL: Final[tuple[Resource, ...]] = (
    network.Network(),
    network.NetworkSubnet(),
    network.NetworkRoute(),
    firewall.Firewall(),
    firewall.FirewallAttachment(),
    small.PlacementGroup(),
    small.SshKey(),
    small.UploadedCertificate(),
    small.ManagedCertificate(),
    server.Server(),
    attachments.ServerNetwork(),
    attachments.PrimaryIp(),
    attachments.LoadBalancerNetwork(),
    volume.Volume(),
    volume.VolumeAttachment(),
    volume.Snapshot(),
    load_balancer.LoadBalancer(),
    load_balancer_service.LoadBalancerService(),
    load_balancer_target.LoadBalancerTarget(),
    dns.Zone(),
    dns.ZoneRrset(),
    dns.ZoneRecord(),
)
RESOURCES: Final = {resource.type_name: resource for resource in _ALL}


def resource_of(urn: str) -> Resource:
    """The kind that a URN is of; raises InvalidInputError where this plugin has it not."""
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    found = RESOURCES.get(token)
    if found is None:
        known = ", ".join(sorted(name.rpartition(":")[2] for name in RESOURCES))
        raise InvalidInputError(
            f"The offline hcloud plugin has no resource {token}; it has {known}.",
            remedy="Install the official plugin with `pulumi plugin install resource hcloud`.",
        )
    return found
