"""K3s' own configuration file, the same for a node at any time; what a node finds out itself goes into drop-ins."""

from __future__ import annotations

from typing import Any, Final

from clawstack.k3s.hardening import api_server_arguments, kubelet_arguments
from clawstack.k3s.settings import ClusterSettings, NodeRole, NodeSettings

FOLDER: Final = "/etc/rancher/k3s"
SERVER_TOKEN: Final = "token"  # noqa: S105 - the name of a file
AGENT_TOKEN: Final = "agent-token"  # noqa: S105 - the name of a file
#: The Secret in kube-system that holds place and keys of the snapshots (K3s documentation, etcd-snapshot).
SNAPSHOT_SECRET: Final = "k3s-etcd-snapshot-s3-config"  # noqa: S105 - the name of an object


def k3s_config(node: NodeSettings) -> dict[str, Any]:
    """`config.yaml` of this node."""
    common = {
        **({} if node.name is None else {"node-name": node.name}),
        "protect-kernel-defaults": True,
        "node-label": [f"{key}={value}" for key, value in sorted(node.labels.items())],
        "node-taint": [taint.text() for taint in node.taints],
        "kubelet-arg": kubelet_arguments(external_cloud=node.cluster.external_cloud_controller),
    }
    if node.role is NodeRole.WORKER:
        return _without_empty({**common, "token-file": f"{FOLDER}/{AGENT_TOKEN}"})
    return _without_empty({**common, **_server(node)})


def _server(node: NodeSettings) -> dict[str, Any]:
    cluster = node.cluster
    audit = cluster.audit
    return {
        "token-file": f"{FOLDER}/{SERVER_TOKEN}",
        "agent-token-file": f"{FOLDER}/{AGENT_TOKEN}",
        "write-kubeconfig-mode": "0600",
        "tls-san": _names(cluster),
        "cluster-cidr": cluster.pod_network,
        "service-cidr": cluster.service_network,
        "cluster-dns": cluster.dns_address(),
        "flannel-backend": cluster.pod_traffic,
        "secrets-encryption": True,
        "secrets-encryption-provider": "secretbox",
        # Hetzner's own controller tells about nodes and makes load balancers.
        "disable-cloud-controller": cluster.external_cloud_controller,
        "disable": ["servicelb", "traefik", *([] if cluster.local_storage else ["local-storage"])],
        # Every node would serve images to every other: too much trust among machines that run strangers' code.
        "embedded-registry": False,
        # Age of certificates and the like; asks for a login as the API does.
        "supervisor-metrics": True,
        "kube-apiserver-arg": api_server_arguments(
            audit={"maxage": audit.max_age_days, "maxbackup": audit.max_files, "maxsize": audit.max_size_mb}
            if audit
            else None
        ),
        "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100", "profiling=false"],
        "kube-scheduler-arg": ["profiling=false"],
        **_snapshots(cluster),
    }


def _names(cluster: ClusterSettings) -> list[str]:
    balancer = [cluster.api_load_balancer] if cluster.api_load_balancer else []
    return list(dict.fromkeys([*cluster.control_planes, *balancer, *cluster.api_sans]))


def _snapshots(cluster: ClusterSettings) -> dict[str, Any]:
    snapshots = cluster.snapshots
    if snapshots is None:
        return {}
    return {
        "etcd-snapshot-schedule-cron": snapshots.schedule,
        "etcd-snapshot-retention": snapshots.retention,
        "etcd-snapshot-compress": True,
        "etcd-s3": True,
        # Place and keys are in the Secret alone: K3s does not read it when another option names a place.
        "etcd-s3-config-secret": SNAPSHOT_SECRET,
    }


def _without_empty(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value != []}
