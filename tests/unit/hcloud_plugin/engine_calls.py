"""The engine's calls, as far as they need no API."""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2

from clawstack.plugin_server.values import to_python, to_struct
from toolchain.plugins.hcloud_provider.provider import HcloudProvider
from toolchain.plugins.hcloud_provider.registry import RESOURCES

CONTEXT: grpc.ServicerContext = None  # type: ignore[assignment] # these handlers do not use it
Object = dict[str, Any]
TYPES = {token.rpartition(":")[2]: token for token in RESOURCES}

#: The least that each kind is accepted with.
LEAST: dict[str, Object] = {
    "Network": {"ipRange": "10.0.0.0/16"},
    "NetworkSubnet": {"networkId": 1, "type": "cloud", "networkZone": "eu-central", "ipRange": "10.0.1.0/24"},
    "NetworkRoute": {"networkId": 1, "destination": "10.100.1.0/24", "gateway": "10.0.1.1"},
    "Firewall": {},
    "FirewallAttachment": {"firewallId": 1, "serverIds": [2]},
    "PlacementGroup": {"type": "spread"},
    "SshKey": {"publicKey": "ssh-ed25519 AAAA somebody"},
    "UploadedCertificate": {"certificate": "-----BEGIN", "privateKey": "-----BEGIN"},
    "ManagedCertificate": {"domainNames": ["example.com"]},
    "Server": {"serverType": "cx23", "image": "debian-13"},
    "ServerNetwork": {"serverId": 1, "subnetId": "1-10.0.1.0/24"},
    "PrimaryIp": {"type": "ipv4", "location": "fsn1"},
    "LoadBalancerNetwork": {"loadBalancerId": 1, "networkId": 1},
    "Volume": {"size": 10, "location": "fsn1"},
    "VolumeAttachment": {"volumeId": 1, "serverId": 2},
    "Snapshot": {"serverId": 1},
    "LoadBalancer": {"loadBalancerType": "lb11", "location": "fsn1"},
    "LoadBalancerService": {"loadBalancerId": "1", "protocol": "http"},
    "LoadBalancerTarget": {"loadBalancerId": 1, "type": "server", "serverId": 2},
    "Zone": {"name": "example.com", "mode": "primary"},
    "ZoneRrset": {"zone": "example.com", "name": "www", "type": "A", "records": [{"value": "192.0.2.1"}]},
    "ZoneRecord": {"zone": "example.com", "name": "www", "type": "A", "value": "192.0.2.1"},
}


def urn(kind: str, name: str = "it") -> str:
    return f"urn:pulumi:dev::platform::clawstack:cluster:Cluster${TYPES[kind]}::{name}"


def least(kind: str, **more: Any) -> Object:
    given = {**LEAST[kind], **more}
    return {name: value for name, value in given.items() if value is not None}


def check(kind: str, news: Object, olds: Object | None = None, *, seed: bytes = b"seed") -> tuple[Object, Object]:
    """Inputs, and reasons by property."""
    request = provider_pb2.CheckRequest(
        urn=urn(kind), news=to_struct(news), olds=to_struct(olds or {}), randomSeed=seed
    )
    answer = HcloudProvider(version="1.43.3").Check(request, CONTEXT)
    return to_python(answer.inputs), {failure.property: failure.reason for failure in answer.failures}


def accepted(kind: str, **more: Any) -> Object:
    inputs, failures = check(kind, least(kind, **more))
    assert failures == {}
    return inputs


def diff(kind: str, old: Object, new: Object, *, chosen: Object | None = None, ignore: tuple[str, ...] = ()) -> Any:
    """`chosen`: what Hetzner chose where nothing was wished."""
    request = provider_pb2.DiffRequest(
        urn=urn(kind),
        id="1",
        old_inputs=to_struct(old),
        olds=to_struct({**old, **(chosen or {})}),
        news=to_struct(new),
        ignoreChanges=ignore,
    )
    return HcloudProvider(version="1.43.3").Diff(request, CONTEXT)
