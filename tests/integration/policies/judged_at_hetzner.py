"""A node whose firewall and network are resources of their own, broken where `WISH` says. Run as a stack's program."""

from __future__ import annotations

import json
import os

import pulumi
import pulumi_hcloud as hcloud

wish = json.loads(os.environ["WISH"])
labels = {
    "clawstack.dev/cluster": "trial",
    "clawstack.dev/role": "control-plane",
    "app.kubernetes.io/managed-by": "clawstack",
}
provider = hcloud.Provider("hetzner", token=os.environ["TOKEN"], endpoint=os.environ["ENDPOINT"], poll_interval="20ms")
opts = pulumi.ResourceOptions(provider=provider)


def number(resource: pulumi.CustomResource) -> pulumi.Output[int]:
    return resource.id.apply(int)


network = hcloud.Network("network", name="trial", ip_range="10.0.0.0/16", labels=labels, opts=opts)
subnet = hcloud.NetworkSubnet(
    "subnet", network_id=number(network), type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24", opts=opts
)
firewall = hcloud.Firewall(
    "firewall",
    name="trial",
    labels=labels,
    rules=[{"direction": "in", "protocol": "tcp", "port": "22", "source_ips": [wish.get("source", "203.0.113.0/24")]}],
    opts=opts,
)
plain = wish.get("user_data", "#cloud-config\n")
server = hcloud.Server(
    "server",
    name="trial",
    server_type=wish.get("type", "cx23"),
    image="debian-13",
    location="fsn1",
    backups=wish.get("backups", True),
    labels=labels,
    user_data=pulumi.Output.secret(plain) if wish.get("marked", True) else plain,
    opts=opts,
)
if wish.get("attached", True):
    hcloud.FirewallAttachment("attachment", firewall_id=number(firewall), server_ids=[number(server)], opts=opts)
if wish.get("joined", True):
    hcloud.ServerNetwork(
        "link",
        server_id=number(server),
        network_id=number(network),
        ip="10.0.1.5",
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[subnet]),
    )
