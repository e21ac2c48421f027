"""Nodes that only pretend: what KWOK is told, and what the bench puts into the API server for it.

A pod of a fake node is ready as soon as it has a node, and nothing of it runs. Volumes are made by the controller
manager itself (its host-path provisioner: an empty folder each).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import yaml

from toolchain.cluster.layout import Layout

STORAGE_CLASS: Final = "bench"
VOLUMES: Final = Path("/tmp/hostpath_pv")  # noqa: S108 - the place is fixed in the controller manager
_MANAGED: Final = "kwok.x-k8s.io/node"
_PODS_PER_NODE: Final = 110
"""What a kubelet takes unless it is told otherwise."""

Document = dict[str, Any]

_NODE_READY: Final = """
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }}}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
daemonEndpoints: {kubeletEndpoint: {Port: {{ NodePort }}}}
capacity: {{ YAML .status.capacity 1 }}
allocatable: {{ YAML .status.allocatable 1 }}
"""
_POD_READY: Final = """
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true, started: true, restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true, restartCount: 0, state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
{{ end }}
"""


def write_config(layout: Layout) -> Path:
    """KWOK's configuration file, and the folder of programs that answer for containers."""
    documents = [
        _stage("node-ready", "Node", _unless_ready(), {"statusTemplate": _NODE_READY}),
        _stage("pod-ready", "Pod", [*_unless_ready(), _lives("DoesNotExist")], {"statusTemplate": _POD_READY}),
        _stage("pod-gone", "Pod", [_lives("Exists")], {"delete": True}),
        {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterExec",
            "metadata": {"name": "answers"},
            "spec": {"execs": [{"local": {"workDir": str(answers(layout))}}]},
        },
    ]
    file = layout.configs / "kwok.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    _write_answers(answers(layout))
    return file


def answers(layout: Layout) -> Path:
    """Programs that are run in place of commands in containers."""
    return layout.data / "in-containers"


def nodes(cells: int) -> list[Document]:
    """As many fake nodes as so many cells need, and one to spare."""
    size = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": str(_PODS_PER_NODE)}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"fake-{number}", "annotations": {_MANAGED: "fake"}},
            "status": {"capacity": size, "allocatable": size},
        }
        for number in range(cells // _PODS_PER_NODE + 2)
    ]


def storage_class() -> Document:
    """The cluster's default; volumes are made once a pod has a node, as on a real cluster."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/host-path",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def remove_volumes() -> None:
    """What the host-path provisioner leaves: its folder, empty when all claims were deleted."""
    if VOLUMES.is_dir() and not any(VOLUMES.glob("*/*")):  # ours hold nothing
        shutil.rmtree(VOLUMES)


def _stage(name: str, kind: str, matches: list[Document], then: Document) -> Document:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": matches},
            "next": then,
        },
    }


def _unless_ready() -> list[Document]:
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    return [{"key": ready, "operator": "NotIn", "values": ["True"]}]


def _lives(deleted: str) -> Document:
    return {"key": ".metadata.deletionTimestamp", "operator": deleted}


def _write_answers(folder: Path) -> None:
    # The only command that an update runs in a gateway's container: has the configuration arrived? It is compared with
    # the end of what was sent, and the end of every JSON document is this.
    folder.mkdir()
    cat = folder / "cat"
    cat.write_text("#!/bin/sh\necho '}'\n")
    cat.chmod(0o755)
