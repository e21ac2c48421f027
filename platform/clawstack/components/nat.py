"""A small server through which nodes without public addresses reach the internet.

One server, not a pair: when it is down, private nodes keep serving and reach nothing outside until it is back. A second
one needs an address that moves between them, which Hetzner's private networks do by API calls only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud
import yaml

from clawstack.components.servers import FIRST_BOOT_ONLY
from clawstack.labels import platform_labels


@dataclass(frozen=True, kw_only=True)
class NatGatewayArgs:
    """What the gateway depends on."""

    type: str
    image: str
    location: str
    generation: int
    network_id: pulumi.Input[int]
    network_range: str
    address: str
    subnet: pulumi.Resource
    firewall_id: pulumi.Input[int]
    ssh_key_ids: Sequence[pulumi.Input[str]]


class NatGateway(pulumi.ComponentResource):
    """The gateway."""

    def __init__(self, name: str, args: NatGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawstack:cluster:NatGateway", name, None, opts)
        self.server = hcloud.Server(
            f"{name}-nat",
            name=f"{name}-nat",
            server_type=args.type,
            image=args.image,
            location=args.location,
            labels=platform_labels(cluster=name, role="nat"),
            ssh_keys=list(args.ssh_key_ids),
            firewall_ids=[args.firewall_id],
            public_nets=[hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv6_enabled=True)],
            networks=[hcloud.ServerNetworkArgs(network_id=args.network_id, ip=args.address, alias_ips=[])],
            # No secret is in it; the policy pack asks for the mark on all user data alike.
            user_data=pulumi.Output.secret(gateway_user_data(args.network_range)),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.subnet],
                delete_before_replace=True,
                ignore_changes=FIRST_BOOT_ONLY,
                replacement_trigger=args.generation,
            ),
        )
        self.register_outputs({"address": args.address})


def gateway_user_data(network_range: str) -> str:
    """Cloud-config that forwards and masquerades what comes from the private network. Holds no secret."""
    rules = (
        "#!/usr/sbin/nft -f\n"
        "flush ruleset\n"
        "table inet clawstack {\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat;\n"
        f"    ip saddr {network_range} ip daddr != {network_range} masquerade\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter; policy drop;\n"
        f"    ip saddr {network_range} accept\n"
        "    ct state established,related accept\n"
        "  }\n"
        "}\n"
    )
    document = {
        "package_update": True,
        "packages": ["nftables", "unattended-upgrades"],
        "ssh_pwauth": False,
        "write_files": [
            {"path": "/etc/sysctl.d/90-forward.conf", "content": "net.ipv4.ip_forward = 1\n"},
            {"path": "/etc/nftables.conf", "permissions": "0755", "content": rules},
        ],
        "runcmd": [
            ["sysctl", "--system"],
            ["systemctl", "enable", "--now", "nftables"],
            ["nft", "-f", "/etc/nftables.conf"],
        ],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=4096)
