"""User data of a node: one cloud-config, made by a pure function."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import yaml

from clawstack.errors import InvalidInputError
from clawstack.k3s import hardening, machine
from clawstack.k3s.config import AGENT_TOKEN, FOLDER, SERVER_TOKEN, k3s_config
from clawstack.k3s.settings import NodeRole, NodeSettings
from clawstack.k3s.tokens import Tokens

#: Hetzner refuses more (Hetzner Cloud API, create a server: `user_data`).
MAX_BYTES: Final = 32 * 1024
_SCRIPT: Final = "/usr/local/lib/clawstack/node.sh"
_PACKAGES: Final = ("ca-certificates", "curl", "nftables", "unattended-upgrades")

File = dict[str, Any]


def user_data(
    node: NodeSettings,
    *,
    agent_token: str,
    token: str | None = None,
    tokens_url: str | None = None,
    ca_certificate: str | None = None,
) -> str:
    """The cloud-config that makes a fresh Debian or Ubuntu server this node. Equal inputs give equal text.

    `token` lets control planes join and opens snapshots; it never enters a worker's user data, which needs none.
    `agent_token` lets workers join. Both are 32 to 128 letters and digits. With `tokens_url` (https, answers
    `token=...` and `agent-token=...` lines once) neither is in the user data. With `ca_certificate` (the content of
    server-ca.crt, where the caller made it) nodes join no cluster but the one of this authority.

    A change of user data replaces a Hetzner server: give servers `ignore_changes=["userData"]`, and let the upgrade
    controller move running nodes to another K3s.

    Raises InvalidInputError for a token that K3s could not take, and when the result is larger than Hetzner takes.
    """
    tokens = Tokens(agent=agent_token, server=token, url=tokens_url, ca_certificate=ca_certificate)
    tokens.require_usable(node)
    config = _cloud_config(node, tokens.files(node), tokens_url or "")
    text = "#cloud-config\n" + yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=120)
    size = len(text.encode())
    if size > MAX_BYTES:
        raise InvalidInputError(
            f"The user data of {node.name or 'a machine'} has {size} bytes; Hetzner takes {MAX_BYTES}.",
            code="user_data_too_large",
            remedy="Give the node fewer labels, taints, names or SSH keys.",
        )
    return text


def _cloud_config(node: NodeSettings, tokens: dict[str, str], tokens_url: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        **({} if node.name is None else {"hostname": node.name, "preserve_hostname": False}),
        "ssh_pwauth": False,
        "package_update": True,
        "packages": list(_PACKAGES),
        "write_files": list(_files(node, tokens, tokens_url)),
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "try-reload-or-restart", "ssh.service"],
            ["systemctl", "enable", "--now", "clawstack-metadata.service"],
            ["systemctl", "enable", "clawstack-node.service"],
            ["systemctl", "start", "--no-block", "clawstack-node.service"],
        ],
    }
    if node.cluster.authorized_keys:
        config["ssh_authorized_keys"] = list(node.cluster.authorized_keys)
    return config


def _files(node: NodeSettings, tokens: dict[str, str], tokens_url: str) -> Iterator[File]:
    server = node.role is NodeRole.CONTROL_PLANE
    yield _file("/etc/clawstack/node.env", _environment(node, tokens_url), mode="0600")
    yield _file(_SCRIPT, files("clawstack.k3s").joinpath("scripts/node.sh").read_text(), mode="0700")
    yield _file(f"{FOLDER}/config.yaml", _yaml(k3s_config(node)), mode="0600")
    for name, value in tokens.items():
        yield _file(f"{FOLDER}/{name}", value, mode="0600")
    if server:
        yield _file(hardening.ADMISSION, _yaml(hardening.admission(node.cluster.pod_security)), mode="0600")
        if node.cluster.audit:
            yield _file(hardening.AUDIT_POLICY, _yaml(hardening.audit_policy()), mode="0600")
    yield _file("/etc/sysctl.d/90-kubelet.conf", hardening.kernel_parameters())
    yield _file("/etc/modules-load.d/k3s.conf", machine.MODULES)
    yield _file("/etc/apt/apt.conf.d/60clawstack-upgrades", machine.UPGRADES)
    yield _file("/etc/ssh/sshd_config.d/10-clawstack.conf", machine.SSH, mode="0600")
    yield _file("/etc/clawstack/metadata.nft", machine.METADATA_WALL)
    yield _file("/etc/systemd/system/clawstack-metadata.service", machine.METADATA_UNIT)
    yield _file("/etc/systemd/system/clawstack-node.service", machine.NODE_UNIT)
    yield _file(f"/etc/systemd/system/{_service(node)}.service", machine.k3s_unit(server=server))


def _environment(node: NodeSettings, tokens_url: str) -> str:
    cluster = node.cluster
    others = [address for address in cluster.control_planes if address != node.private_address]
    balancer = [cluster.api_load_balancer] if cluster.api_load_balancer else []
    server = node.role is NodeRole.CONTROL_PLANE
    # A control plane never joins through the load balancer: it might be sent to itself.
    addresses = others if server else [*balancer, *others]
    values = {
        # One address, or the network in which the machine got one.
        "NODE_NETWORK": f"{node.private_address}/32" if node.private_address else str(cluster.node_network),
        "SERVICE": _service(node),
        "K3S_URL": cluster.release.url(node.arch),
        "K3S_SHA256": cluster.release.checksum(node.arch),
        "JOIN_ADDRESSES": " ".join(addresses),
        "MAY_INITIALISE": "yes" if node.first and cluster.initialise else "no",
        "TOKENS_URL": tokens_url,
        "TOKEN_FILES": f"{SERVER_TOKEN} {AGENT_TOKEN}" if server else AGENT_TOKEN,
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _service(node: NodeSettings) -> str:
    return "k3s" if node.role is NodeRole.CONTROL_PLANE else "k3s-agent"


def _file(path: str, content: str, *, mode: str = "0644") -> File:
    return {"path": path, "permissions": mode, "content": content}


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=200)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that people can read them."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
