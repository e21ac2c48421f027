"""The one gateway pod of a cell and how Kubernetes tells whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clawstack.vocabulary import Desired
from tenants.namespace.files import CONFIG_MOUNT, NODE_OPTIONS, PORT, SEED_SCRIPT, VOLUME, WORKSPACE_MOUNT
from tenants.namespace.isolation import EPHEMERAL_LIMIT
from tenants.namespace.known_names import name_service
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec

Document = dict[str, Any]

NAME: Final = "gateway"
CLAIM: Final = "state"
CONFIG: Final = "config"
TOKENS: Final = "tokens"
WORKSPACE: Final = "workspace"
_UID: Final = 1000
"""`node` of the official image."""
_GRACE_SECONDS: Final = 330
"""315 s to finish turns, 10 s to clean up, 5 s margin (OpenClaw documentation, `gateway/restart-recovery.md`)."""
_MEMORY_REQUEST_MB: Final = 1024
_CPU_REQUEST: Final = "100m"
"""Idle gateways take 0.007 of a core."""
DIGEST: Final = "clawstack.dev/restart-digest"
"""Annotation of the pod. A pod with another one than the template's must be replaced."""
_STARTUP_DELAY: Final = 4
"""No gateway starts faster (measured: 6 to 15 s)."""
_STARTUP_PERIOD: Final = 2
_STARTUP_TRIES: Final = 180
"""6 min: a gateway waits up to 5 min for the lock of its state directory."""
_FROZEN_GRACE: Final = 10
"""For a gateway that answers nothing any more: it finishes no turn, and would sit out the pod's whole grace period."""
#: A control UI answers 200 to any path, so the body decides (OpenClaw documentation, `install/kubernetes.md`).
_STARTED_SCRIPT: Final = (
    f"fetch('http://127.0.0.1:{PORT}/startupz',{{signal:AbortSignal.timeout(4000)}}).then(r=>r.json())"
    ".then(b=>process.exit(b.ok===true&&b.status==='started'?0:1),()=>process.exit(1))"
)


def requests(spec: CellSpec) -> dict[str, str]:
    """What the scheduler sets aside; less than the limits, since few gateways are busy at once."""
    memory = min(_MEMORY_REQUEST_MB, spec.resources.memory_mb)
    return {"cpu": _CPU_REQUEST, "memory": f"{memory}Mi", "ephemeral-storage": "64Mi"}


def stateful_set(spec: CellSpec, pod: Document, *, selector: Mapping[str, str], digest: str) -> Document:
    """Exactly one replica, or none while suspended: two owners of a state directory would destroy it.

    Kubernetes never replaces the pod by itself (`OnDelete`): whether a change takes a restart, and when, is judged by
    the digest. Labels of the pod are the selector only: plan and bundle may change without a restart.
    """
    return {
        "serviceName": NAME,
        "replicas": 1 if spec.desired is Desired.RUNNING else 0,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "OnDelete"},
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": dict(selector)},
        "template": {"metadata": {"labels": dict(selector), "annotations": {DIGEST: digest}}, "spec": pod},
    }


def needs_restart(pod: Mapping[str, Any]) -> Document:
    """The part of a pod's specification that only a new pod can have."""
    kept = {key: value for key, value in pod.items() if key != "priorityClassName"}
    containers = [
        {
            **{key: value for key, value in entry.items() if key != "resources"},
            "env": [variable for variable in entry["env"] if variable["name"] != NODE_OPTIONS],
        }
        for entry in pod["containers"]
    ]
    return {**kept, "containers": containers}


def gateway_pod(spec: CellSpec, settings: NamespaceSettings, environment: Mapping[str, str]) -> Document:
    """The specification of the pod."""
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The kernel ignores a SIGTERM to the first process of a namespace while that has no handler for it: a gateway
        # that is still starting would sit out the whole grace period (measured: 330 s). So the pause container is first.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": pod_security(),
        **placement(spec, settings),
        **name_service(spec, settings),
        "initContainers": [_seed(spec, settings)],
        "containers": [_gateway(spec, settings, environment)],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": CLAIM}},
            {"name": "config", "configMap": {"name": CONFIG, "defaultMode": 0o440}},
            {"name": "workspace", "secret": {"secretName": WORKSPACE, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }


def pod_security() -> Document:
    """What every pod of a cell runs as."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _UID,
        "runAsGroup": _UID,
        "fsGroup": _UID,
        # Always would open the state directory to the group again at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def placement(spec: CellSpec, settings: NamespaceSettings) -> Document:
    """Classes of priority and of runtime, where the cluster has any, and the nodes that are for cells."""
    classes = {
        "priorityClassName": settings.priority_classes.get(spec.plan),
        "runtimeClassName": settings.runtime_class,
    }
    return {**{key: name for key, name in classes.items() if name is not None}, **settings.place.pod_fields()}


def container(settings: NamespaceSettings) -> Document:
    """Image and security of every container of a cell."""
    return {
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _seed(spec: CellSpec, settings: NamespaceSettings) -> Document:
    """Makes the state directory on the volume and lays down configuration and persona, every start anew."""
    return {
        "name": "seed",
        **container(settings),
        "command": ["sh", "-c", SEED_SCRIPT],
        "env": [{"name": "SLUG", "value": spec.slug}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "16Mi"},
            "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
        },
        "volumeMounts": [
            {"name": "state", "mountPath": str(VOLUME)},
            {"name": "config", "mountPath": str(CONFIG_MOUNT), "readOnly": True},
            {"name": "workspace", "mountPath": str(WORKSPACE_MOUNT), "readOnly": True},
        ],
    }


def _gateway(spec: CellSpec, settings: NamespaceSettings, environment: Mapping[str, str]) -> Document:
    return {
        "name": NAME,
        **container(settings),
        "command": [settings.node, settings.openclaw, "gateway", "--port", str(PORT)],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "envFrom": [{"secretRef": {"name": TOKENS}}],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": {
            "requests": requests(spec),
            "limits": {
                "cpu": f"{round(spec.resources.cpu * 1000)}m",
                "memory": f"{spec.resources.memory_mb}Mi",
                "ephemeral-storage": EPHEMERAL_LIMIT,
            },
        },
        **_probes(settings),
        "volumeMounts": [
            {"name": "state", "mountPath": str(VOLUME)},
            {"name": "config", "mountPath": str(CONFIG_MOUNT), "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }


def _probes(settings: NamespaceSettings) -> Document:
    started = {"exec": {"command": [settings.node, "-e", _STARTED_SCRIPT]}, "timeoutSeconds": 5}
    return {
        "startupProbe": {
            **started,
            "initialDelaySeconds": _STARTUP_DELAY,
            "periodSeconds": _STARTUP_PERIOD,
            "failureThreshold": _STARTUP_TRIES,
        },
        # Each asking starts a Node of its own (0.1 CPU-seconds): seldom enough to stay below the idle gateway's own use.
        "readinessProbe": {**started, "periodSeconds": 30, "failureThreshold": 2},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 20,
            "timeoutSeconds": 5,
            "failureThreshold": 6,  # two minutes without an answer, as in `tenants.process.launch` and the servers' agent
            "terminationGracePeriodSeconds": _FROZEN_GRACE,
        },
    }
