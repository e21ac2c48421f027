"""What a server of the plan is told at its first boot: `clawstack.k3s` writes it, this adds what the stack knows.

Three things are added to the cloud-config: the certificate authorities of the first control plane (see `pki`), the way
out of nodes without a public address, because Hetzner's DHCP names no router on private networks, and the mounts of data
volumes. The authorities' keys travel in user data like the join tokens beside them and are of the same class: who reads
one can have the others. `clawstack.k3s` walls the metadata service off from everybody but root for that reason.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from pydantic.alias_generators import to_snake

from clawstack.cluster.addresses import gateway_address, load_balancer_address
from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.pki import KeyPair
from clawstack.cluster.plan import ClusterPlan, Node
from clawstack.errors import InvalidInputError
from clawstack.k3s import MAX_BYTES, Architecture, ClusterSettings, NodeRole, NodeSettings, Taint
from clawstack.k3s import user_data as k3s_user_data

_TLS_FOLDER: Final = "/var/lib/rancher/k3s/server/tls"
_VOLUMES_FOLDER: Final = "/var/lib/clawstack/volumes"
#: Hetzner's recursive name servers (Hetzner documentation, DNS).
_NAME_SERVERS: Final = "185.12.64.1 185.12.64.2"
_HEADER: Final = "#cloud-config\n"


def cluster_settings(config: ClusterConfig, plan: ClusterPlan) -> ClusterSettings:
    """What K3s is told of the whole cluster; the operator's `kubernetes` section may say the rest."""
    said = {to_snake(key): value for key, value in config.kubernetes.items()}
    balancer = load_balancer_address(config.network_range) if config.api_load_balancer else None
    names = (f"{config.dns.api_name}.{config.dns.zone}",) if config.dns and config.dns.api_name else ()
    return ClusterSettings.model_validate(
        {
            **said,
            "name": config.name,
            "node_network": config.network_range,
            "control_planes": [node.address for node in plan.control_planes],
            "api_load_balancer": balancer,
            "api_sans": (*said.get("api_sans", ()), *names),
        }
    )


def node_settings(node: Node, cluster: ClusterSettings) -> NodeSettings:
    """The node in the words of `clawstack.k3s`."""
    return NodeSettings(
        name=f"{cluster.name}-{node.name}",
        role=NodeRole(node.role),
        first=node.role == "control-plane" and node.number == 1,
        cluster=cluster,
        private_address=node.address,
        labels={**node.labels, "clawstack.dev/pool": node.pool},
        taints=tuple(Taint(key=taint.key, value=taint.value, effect=taint.effect) for taint in node.taints),
        arch=Architecture(node.arch.value),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeExtras:
    """What a node has besides K3s."""

    network_range: str | None = None
    """Given for a node without a public address."""
    mounts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Volume id and file system by the volume's key."""


def node_user_data(
    node: NodeSettings, *, token: str, agent_token: str, authorities: Mapping[str, KeyPair], extras: NodeExtras
) -> str:
    """The cloud-config of one node; `authorities` are used by the node that makes the cluster.

    Raises InvalidInputError when the result is larger than Hetzner takes.
    """
    document: dict[str, Any] = yaml.safe_load(
        k3s_user_data(node, token=token, agent_token=agent_token, ca_certificate=authorities["server-ca"].certificate)
    )
    if node.first:
        document["write_files"] = [*document.get("write_files", []), *_authority_files(authorities)]
        document["runcmd"] = [["sh", "-euc", _keys_script(authorities)], *document.get("runcmd", [])]
    if extras.network_range is not None:
        document["bootcmd"] = [*way_out(extras.network_range), *document.get("bootcmd", [])]
    if extras.mounts:
        document["mounts"] = [_mount(key, *volume) for key, volume in sorted(extras.mounts.items())]
    text = _HEADER + yaml.safe_dump(document, sort_keys=False, width=4096)
    if len(text.encode()) > MAX_BYTES:
        raise InvalidInputError(
            f"The user data of {node.name} has {len(text.encode())} bytes; Hetzner takes {MAX_BYTES}.",
            code="user_data_too_large",
            remedy="Give the node fewer labels and taints.",
        )
    return text


def _authority_files(authorities: Mapping[str, KeyPair]) -> Iterator[dict[str, str]]:
    for name, pair in sorted(authorities.items()):
        yield {"path": f"{_TLS_FOLDER}/{name}.crt", "permissions": "0600", "content": pair.certificate}
        yield {"path": f"{_TLS_FOLDER}/{name}.der", "permissions": "0600", "encoding": "b64", "content": pair.der()}


def _keys_script(authorities: Mapping[str, KeyPair]) -> str:
    """Turns the keys into the form that K3s reads, before it starts for the first time."""
    lines = ["umask 077", f"cd {_TLS_FOLDER}"]
    for name in sorted(authorities):
        lines += [f"openssl ec -inform DER -in {name}.der -out {name}.key", f"rm {name}.der"]
    return "\n".join(lines) + "\n"


def _mount(key: str, volume: str, format_: str) -> list[str]:
    # The volume is attached after the server was made: mounted at first use, and no boot waits for it.
    options = "nofail,noatime,nosuid,nodev,x-systemd.automount,x-systemd.device-timeout=30s"
    return [f"/dev/disk/by-id/scsi-0HC_Volume_{volume}", f"{_VOLUMES_FOLDER}/{key}", format_, options, "0", "2"]


def way_out(network_range: str) -> list[list[str]]:
    """Commands for each boot: default route through the network's router, and name servers."""
    gateway = gateway_address(network_range)
    first_numbers = ".".join(network_range.split(".")[:2])
    script = (
        f"device=$(ip -o -4 addr show | awk '$4 ~ /^{first_numbers}\\./ {{ print $2; exit }}')\n"
        f'ip route replace default via {gateway} dev "$device" onlink\n'
        "mkdir -p /etc/systemd/resolved.conf.d\n"
        f"printf '[Resolve]\\nDNS=%s\\n' {shlex.quote(_NAME_SERVERS)} > /etc/systemd/resolved.conf.d/hetzner.conf\n"
        "systemctl try-restart systemd-resolved || true\n"
    )
    return [["sh", "-euc", script]]
