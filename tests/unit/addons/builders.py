"""Settings of made-up clusters with all add-ons, with few, and with none."""

from __future__ import annotations

from typing import Any

from clawstack.addons import AddonsSettings, build_addons
from clawstack.addons.base.model import Addon, Manifest
from tests.unit.k3s.clusters import SNAPSHOTS, THREE, large_cluster

IMAGE = "ghcr.io/example/clawstack:1.4.0@sha256:" + "cd" * 32
CELL_IMAGE = "ghcr.io/openclaw/openclaw:2026.9.6@sha256:" + "ab" * 32

WORKLOADS = {
    "image": IMAGE,
    "cells": {"image": CELL_IMAGE},
    "host": "app.example.org",
    "kubernetes_api": THREE,
    "scale_by_metrics": True,
}
AUTOSCALER = {
    "cluster": large_cluster(node_network="10.0.0.0/16").model_dump(),
    "pools": [
        {"name": "tenants", "server_type": "cpx41", "arch": "x86", "location": "fsn1", "maximum": 10},
        {"name": "arm", "server_type": "cax31", "arch": "arm", "location": "nbg1", "minimum": 1, "maximum": 3},
    ],
    "network": "prod",
    "firewall": "prod-nodes",
    "ssh_key": "operator",
    "images": {"x86": "debian-12", "arm": "debian-12"},
}
#: Every switch on.
EVERYTHING: dict[str, Any] = {
    "cluster": "prod",
    "cloud_controller": {"network": "prod", "location": "fsn1"},
    "storage": {},
    "snapshots": SNAPSHOTS,
    "upgrades": {"enabled": True},
    "reboots": {},
    "certificates": {"email": "ops@example.org"},
    "ingress": {"location": "fsn1", "gateway_api": True},
    "monitoring": {},
    "external_secrets": {"vault": {"server": "https://vault.example.org", "role": "clawstack"}},
    "autoscaler": AUTOSCALER,
    "database": {"image": "ghcr.io/cloudnative-pg/postgresql:17.6"},
    "workloads": WORKLOADS,
}
EXTERNAL_DATABASE = {"addresses": ["10.0.9.4"]}
#: Kinds whose definitions come with charts and operators, and are judged by those: kubeconform has no schema of them.
BROUGHT = frozenset(
    {"ClusterIssuer", "ClusterSecretStore", "Cluster", "Middleware", "Plan", "PodMonitor", "PrometheusRule"}
)
SWITCHES = [name for name in EVERYTHING if name != "cluster"]


def settings(**changes: Any) -> AddonsSettings:
    """Everything, with changes."""
    return AddonsSettings.model_validate({**EVERYTHING, **changes})


def small(**changes: Any) -> AddonsSettings:
    """Nothing but what is asked for."""
    return AddonsSettings.model_validate({"cluster": "dev", **changes})


def workloads(**changes: Any) -> dict[str, Any]:
    return {**WORKLOADS, **changes}


def addon(key: str, of: AddonsSettings | None = None) -> Addon:
    [found] = [entry for entry in build_addons(of or settings()) if entry.key == key]
    return found


def manifests(of: AddonsSettings | None = None) -> list[Manifest]:
    return [manifest for entry in build_addons(of or settings()) for manifest in entry.manifests()]


def document(kind: str, name: str, of: AddonsSettings | None = None) -> dict[str, Any]:
    """The one object of this kind and name."""
    [found] = [entry.document() for entry in manifests(of) if (entry.kind, entry.name) == (kind, name)]
    return found


def values(key: str, chart: str, of: AddonsSettings | None = None) -> dict[str, Any]:
    [found] = [dict(entry.values) for entry in addon(key, of).charts if entry.name == chart]
    return found
