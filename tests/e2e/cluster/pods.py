"""Pods that tests make: a shell under the strictest standard."""

from __future__ import annotations

from typing import Any

from toolchain.cluster.running import TestCluster

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
IDENTITY = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}


def shell_pod(cluster: TestCluster, namespace: str, name: str, script: str, **more: Any) -> dict[str, Any]:
    """Runs the script once. `more`: further fields of the pod's specification; `mounts` those of the container."""
    container = {
        "name": "shell",
        "image": cluster.shell_image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", script],
        "securityContext": RESTRICTED,
        "volumeMounts": more.pop("mounts", []),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {**IDENTITY, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            **more,
        },
    }
