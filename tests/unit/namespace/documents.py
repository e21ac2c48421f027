"""Objects as a Kubernetes 1.34 API server tells them, cut to what counts."""

from __future__ import annotations

import copy
from typing import Any

from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import Event, Node, PersistentVolumeClaim, Pod

from tenants.namespace.workload import DIGEST

Document = dict[str, Any]

NAMESPACE = "cell-anna"
IMAGE = "ghcr.io/openclaw/openclaw:2026.9.6@sha256:" + "ab" * 32
RESOURCES = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1536Mi"}}


def stateful_set(
    *, replicas: int = 1, digest: str = "d1", generation: int = 1, resources: Document | None = None
) -> StatefulSet:
    container = {"name": "gateway", "image": IMAGE, "resources": resources or RESOURCES}
    document = {
        "metadata": {"name": "gateway", "namespace": NAMESPACE, "uid": "set-1", "generation": generation},
        "spec": {
            "serviceName": "gateway",
            "replicas": replicas,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"annotations": {DIGEST: digest}}, "spec": {"containers": [container]}},
        },
    }
    made: StatefulSet = StatefulSet.from_dict(document)  # type: ignore[assignment]
    return made


def pod(
    state: Document | None = None,
    *,
    ready: bool = False,
    restarts: int = 0,
    last: Document | None = None,
    seed: Document | None = None,
    seed_restarts: int = 0,
    node: str | None = "node-1",
    digest: str = "d1",
    heap: int = 768,
    deleted: bool = False,
    conditions: list[Document] | None = None,
    resources: Document | None = None,
    phase: str = "Running",
    reason: str | None = None,
) -> Pod:
    options = {"name": "NODE_OPTIONS", "value": f"--max-old-space-size={heap} --max-semi-space-size=8"}
    metadata: Document = {
        "name": "gateway-0", "namespace": NAMESPACE, "uid": "pod-1", "annotations": {DIGEST: digest},
    }  # fmt: skip
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    common = {"image": IMAGE, "imageID": "", "ready": False, "restartCount": 0}
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    document = {
        "metadata": metadata,
        "spec": {
            "nodeName": node,
            "containers": [{"name": "gateway", "env": [options], "resources": resources or RESOURCES}],
        },
        "status": {
            "phase": phase,
            "reason": reason,
            "conditions": conditions if conditions is not None else [condition("Ready", ready)],
            "initContainerStatuses": [{**common, "name": "seed", "state": seed or done, "restartCount": seed_restarts}],
            "containerStatuses": [
                {
                    **common,
                    "name": "gateway",
                    "ready": ready,
                    "restartCount": restarts,
                    "state": state or {"waiting": {"reason": "PodInitializing"}},
                    "lastState": last or {},
                    "resources": resources or RESOURCES,
                }
            ],
        },
    }
    made: Pod = Pod.from_dict(copy.deepcopy(document))  # type: ignore[assignment]
    return made


def condition(kind: str, holds: bool) -> Document:
    return {"type": kind, "status": str(holds), "lastTransitionTime": "2026-11-21T10:00:00Z"}


def event(
    reason: str, message: str, *, kind: str = "StatefulSet", name: str = "gateway", severity: str = "Warning"
) -> Event:
    document = {
        "metadata": {"name": f"{name}.1", "namespace": NAMESPACE, "uid": f"event-{reason}"},
        "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE},
        "reason": reason,
        "message": message,
        "type": severity,
        "count": 1,
    }
    made: Event = Event.from_dict(document)  # type: ignore[assignment]
    return made


def claim(
    *, phase: str = "Bound", annotations: dict[str, str] | None = None, storage: str = "2Gi"
) -> PersistentVolumeClaim:
    document = {
        "metadata": {"name": "state", "namespace": NAMESPACE, "annotations": annotations or {}},
        "spec": {"resources": {"requests": {"storage": storage}}},
        "status": {"phase": phase},
    }
    made: PersistentVolumeClaim = PersistentVolumeClaim.from_dict(document)  # type: ignore[assignment]
    return made


def node(*, ready: str = "True") -> Node:
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    made: Node = Node.from_dict({"metadata": {"name": "node-1"}, "status": {"conditions": [condition]}})  # type: ignore[assignment]
    return made


RUNNING: Document = {"running": {"startedAt": "2026-11-21T10:00:00Z"}}
EXIT_78: Document = {"terminated": {"exitCode": 78, "reason": "Error"}}
OOM: Document = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def waiting(reason: str, message: str = "") -> Document:
    return {"waiting": {"reason": reason, "message": message}}
