"""K3s on Hetzner servers: what a machine is told at its first boot, as pure functions from settings to user data.

    settings ── what the cluster and the node are
    release ─── the pinned K3s, with checksums
    tokens ───── which machine gets which join token
    config, hardening, machine ── the files
    scripts ─── the one script that runs on the node
    cloud_init ─ all of it as one cloud-config

Here belongs what happens on a machine before Kubernetes answers. Not here: servers and networks (`clawstack.components`),
what is installed into the cluster afterwards (`clawstack.addons`). Nothing here imports Pulumi.
"""

from __future__ import annotations

from clawstack.k3s.cloud_init import MAX_BYTES, user_data
from clawstack.k3s.release import Architecture, K3sRelease, pinned_release
from clawstack.k3s.settings import (
    AuditLog,
    ClusterSettings,
    EtcdSnapshots,
    NodeRole,
    NodeSettings,
    Taint,
    TokenEscrow,
)

__all__ = [
    "MAX_BYTES",
    "Architecture",
    "AuditLog",
    "ClusterSettings",
    "EtcdSnapshots",
    "K3sRelease",
    "NodeRole",
    "NodeSettings",
    "Taint",
    "TokenEscrow",
    "pinned_release",
    "user_data",
]
