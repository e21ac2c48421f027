"""A program with every kind of resource that a cluster uses. Run by the tests as the stack's own program."""

from __future__ import annotations

import json
import os

import pulumi
import pulumi_hcloud as hcloud

wish = json.loads(os.environ["WISH"])
labels = {"clawstack.dev/cluster": "trial", "app.kubernetes.io/managed-by": "clawstack", **wish.get("labels", {})}
provider = hcloud.Provider(
    "hetzner", token=os.environ["TOKEN"], endpoint=os.environ["ENDPOINT"], poll_interval=wish.get("poll", "20ms")
)
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
    rules=[
        {"direction": "in", "protocol": "tcp", "port": port, "source_ips": ["203.0.113.0/24", "2001:db8::/32"]}
        for port in wish.get("ports", ["22", "6443"])
    ],
    opts=opts,
)
key = hcloud.SshKey(
    "key",
    name="trial",
    labels=labels,
    public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIKhSIrB2yK9P45adO9DANus7gBWvXFBQULjoQUgopcd trial",
    opts=opts,
)
group = hcloud.PlacementGroup("group", name="trial", type="spread", labels=labels, opts=opts)
servers = [
    hcloud.Server(
        name,
        name=name,
        server_type=wish.get("type", "cx23"),
        image=wish.get("image", "debian-13"),
        location="fsn1",
        labels=labels,
        ssh_keys=[key.id],
        firewall_ids=[number(firewall)],
        placement_group_id=number(group),
        user_data=pulumi.Output.secret(f"#cloud-config\nhostname: {name}\n# planted-secret\n"),
        networks=[{"network_id": number(network), "ip": f"10.0.1.{index}"}],
        backups=wish.get("backups", False),
        delete_protection=wish.get("protected", False),
        rebuild_protection=wish.get("protected", False),
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[subnet]),
    )
    for index, name in enumerate(wish.get("servers", ["one", "two"]), start=10)
]
volume = hcloud.Volume(
    "volume", name="trial", size=wish.get("size", 10), location="fsn1", format="ext4", labels=labels, opts=opts
)
hcloud.VolumeAttachment("volume", volume_id=number(volume), server_id=number(servers[0]), opts=opts)
balancer = hcloud.LoadBalancer(
    "balancer",
    name="trial",
    load_balancer_type=wish.get("balancer", "lb11"),
    location="fsn1",
    labels=labels,
    algorithm={"type": "least_connections"},
    opts=opts,
)
attached = hcloud.LoadBalancerNetwork(
    "balancer", load_balancer_id=number(balancer), subnet_id=subnet.id, ip="10.0.1.5", opts=opts
)
hcloud.LoadBalancerService(
    "api", load_balancer_id=balancer.id, protocol="tcp", listen_port=6443, destination_port=6443, opts=opts
)
hcloud.LoadBalancerTarget(
    "target",
    load_balancer_id=number(balancer),
    type="server",
    server_id=number(servers[0]),
    use_private_ip=True,
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[attached]),
)
zone = hcloud.Zone("zone", name="trial.example", mode="primary", labels=labels, opts=opts)
hcloud.ZoneRrset(
    "api",
    zone=zone.name,
    name="api",
    type="A",
    ttl=wish.get("ttl", 300),
    labels=labels,
    records=[{"value": balancer.ipv4}],
    opts=opts,
)
pulumi.export("addresses", [server.ipv4_address for server in servers])
pulumi.export("userData", servers[0].user_data)
pulumi.export("type", hcloud.get_server_type(name="cx23", opts=pulumi.InvokeOptions(provider=provider)).cores)
