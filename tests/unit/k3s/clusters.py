"""Clusters and nodes to render."""

from __future__ import annotations

from typing import Any

from clawstack.k3s import ClusterSettings, NodeSettings

TOKEN = "PlantedServerToken" + "0" * 30
AGENT_TOKEN = "PlantedAgentToken" + "1" * 30
ONE = ("10.0.1.10",)
THREE = ("10.0.1.10", "10.0.1.11", "10.0.1.12")
SNAPSHOTS = {
    "endpoint": "fsn1.your-objectstorage.com",
    "bucket": "clawstack-etcd",
    "region": "fsn1",
    "token_escrow": "stack-state",
}


def cluster(**changes: Any) -> ClusterSettings:
    return ClusterSettings.model_validate({"name": "dev", "control_planes": ONE, **changes})


def large_cluster(**changes: Any) -> ClusterSettings:
    return cluster(
        **{
            "name": "prod",
            "control_planes": THREE,
            "api_load_balancer": "10.0.1.5",
            "api_sans": ("203.0.113.7", "k8s.example.org"),
            "snapshots": SNAPSHOTS,
            **changes,
        }
    )


def node(**changes: Any) -> NodeSettings:
    data = {
        "name": "dev-cp-1",
        "role": "control-plane",
        "first": True,
        "cluster": cluster(),
        "private_address": ONE[0],
        "arch": "x86",
    }
    return NodeSettings.model_validate({**data, **changes})


def control_plane(number: int, **changes: Any) -> NodeSettings:
    data = {
        "name": f"prod-cp-{number}",
        "first": number == 1,
        "cluster": large_cluster(),
        "private_address": THREE[number - 1],
        "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
    }
    return node(**{**data, **changes})


def worker(**changes: Any) -> NodeSettings:
    data = {
        "name": "prod-tenants-a",
        "role": "worker",
        "first": False,
        "cluster": large_cluster(),
        "private_address": "10.0.2.20",
        "labels": {"clawstack.dev/pool": "tenants"},
        "taints": [{"key": "clawstack.dev/tenants", "value": "only", "effect": "NoSchedule"}],
    }
    return node(**{**data, **changes})
