"""The Deployments of clawstack's own services, their Services and budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.addons.base.model import Manifest
from clawstack.addons.base.objects import APP, COMPONENT, Objects
from clawstack.addons.base.workloads import WorkloadRole, Workloads

Document = dict[str, Any]

NAME: Final = "clawstack"
PORT: Final = 8080
ENVIRONMENT: Final = "clawstack-environment"
BACKUPS: Final = "clawstack-backups"
STATE: Final = "clawstack-state"
STATE_KEY: Final = "url"
"""The Secret, and its key, with the place of the cells' Pulumi state: it may hold a password."""
CLUSTER: Final = "clawstack-cluster"
KUBECONFIG_KEY: Final = "kubeconfig"
_CLUSTER_FOLDER: Final = "/etc/clawstack/cluster"
KUBECONFIG: Final = f"{_CLUSTER_FOLDER}/{KUBECONFIG_KEY}"
PRIORITY: Final = "clawstack-platform"
DATA: Final = "/var/lib/clawstack"
_UID: Final = 10001
"""No user of a node has it."""
_GRACE: Final = {WorkloadRole.API: 30, WorkloadRole.WORKER: 90, WorkloadRole.PROXY: 60, WorkloadRole.ROUTER: 30}
"""Seconds until a pod is killed. The worker lets go of its operations first: 20 s of `operation_grace`, twice over."""
_HOLD_BACKUPS: Final = (WorkloadRole.API, WorkloadRole.WORKER)


def name_of(role: WorkloadRole) -> str:
    """Deployment, Service, ServiceAccount and budget of a role."""
    return f"{NAME}-{role.value}"


def selector(role: WorkloadRole) -> dict[str, str]:
    """Labels of a role's pods, never changed: selectors are immutable, and cells' network rules name them."""
    return {APP: NAME, COMPONENT: role.value}


def running(
    objects: Objects, settings: Workloads, *, database_secret: str, url_key: str, cells: Mapping[str, str]
) -> Iterator[Manifest]:
    """What runs, one role after the other; `cells` are the settings by which they know the cluster."""
    variables = [
        _secret("CLAWSTACK_DATABASE_URL", database_secret, url_key),
        _secret("CLAWSTACK_PULUMI_BACKEND_URL", STATE, STATE_KEY),
        *_variables({**_settings(settings), **cells}),
    ]
    for role in WorkloadRole:
        space = settings.namespace
        yield objects.object(
            "v1", "ServiceAccount", name_of(role), space, automountServiceAccountToken=role is WorkloadRole.WORKER
        )
        if role is not WorkloadRole.WORKER:
            yield objects.object("v1", "Service", name_of(role), space, spec=_service(role))
        yield objects.object(
            "policy/v1",
            "PodDisruptionBudget",
            name_of(role),
            space,
            spec={"maxUnavailable": 1, "selector": {"matchLabels": selector(role)}},
        )
        spec = _deployment(objects, settings, role, variables)
        yield objects.object("apps/v1", "Deployment", name_of(role), space, spec=spec)


def claim(settings: Workloads) -> Document:
    """The volume of the backups."""
    own = settings.backups
    return {
        "accessModes": ["ReadWriteMany" if own.shared else "ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{own.size_gb}Gi"}},
        **({"storageClassName": own.storage_class} if own.storage_class else {}),
    }


def _service(role: WorkloadRole) -> Document:
    port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
    return {"type": "ClusterIP", "selector": selector(role), "ports": [port]}


def _deployment(objects: Objects, settings: Workloads, role: WorkloadRole, variables: list[Document]) -> Document:
    pod = _pod(settings, role, variables)
    return {
        # No `replicas`: that is the autoscaler's, and an update must not undo it.
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 600,
        # Two workers at once could not both mount the volume.
        "strategy": {"type": "Recreate"}
        if _is_the_only_worker(settings, role)
        else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": selector(role)},
        "template": {"metadata": {"labels": {**objects.labels(), **selector(role)}}, "spec": pod},
    }


def _pod(settings: Workloads, role: WorkloadRole, variables: list[Document]) -> Document:
    pull = {"imagePullSecrets": [{"name": settings.image_pull_secret}]} if settings.image_pull_secret else {}
    return {
        # Locks of stacks name their holder's host: the next pod of the only worker knows them for its own, and dead.
        **({"hostname": name_of(role)} if _is_the_only_worker(settings, role) else {}),
        "serviceAccountName": name_of(role),
        "automountServiceAccountToken": role is WorkloadRole.WORKER,
        "enableServiceLinks": False,
        # The pause container is the first process: it collects what a killed engine leaves behind, and a service that is
        # still starting does not ignore SIGTERM, as the first process of a namespace would.
        "shareProcessNamespace": True,
        "priorityClassName": PRIORITY,
        "terminationGracePeriodSeconds": _GRACE[role],
        **pull,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **_placement(settings, role),
        "containers": [_container(settings, role, variables)],
        "volumes": _volumes(role),
    }


def _is_the_only_worker(settings: Workloads, role: WorkloadRole) -> bool:
    return role is WorkloadRole.WORKER and not settings.backups.shared


def _placement(settings: Workloads, role: WorkloadRole) -> Document:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(role)},
    }
    if role is not WorkloadRole.API or settings.backups.shared:
        return {"topologySpreadConstraints": [spread]}
    beside = {"labelSelector": {"matchLabels": selector(WorkloadRole.WORKER)}, "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}}}


def _container(settings: Workloads, role: WorkloadRole, variables: list[Document]) -> Document:
    size = settings.size(role)
    return {
        "name": role.value,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["clawstack"],
        "args": ["serve", "--role", role.value, "--host", "0.0.0.0", "--port", str(PORT)],
        "env": [*variables, *_variables({"CLAWSTACK_DATABASE_POOL": str(size.pool)})],
        "envFrom": [{"secretRef": {"name": ENVIRONMENT}}],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": size.cpu_request, "memory": size.memory, "ephemeral-storage": "256Mi"},
            "limits": {"cpu": size.cpu_limit, "memory": size.memory, "ephemeral-storage": "4Gi"},
        },
        **_probes(),
        "volumeMounts": [
            {"name": "data", "mountPath": DATA},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
            {"name": "cluster", "mountPath": _CLUSTER_FOLDER, "readOnly": True},
            *([{"name": "backups", "mountPath": f"{DATA}/backups"}] if role in _HOLD_BACKUPS else []),
        ],
    }


def _probes() -> Document:
    alive = {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 3}
    ready = {"httpGet": {"path": "/readyz", "port": "http"}, "timeoutSeconds": 3}
    return {
        "startupProbe": {**alive, "periodSeconds": 2, "failureThreshold": 60},
        # Asks the database: a pod without it takes no requests, but is not killed for it.
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 6},
    }


def _volumes(role: WorkloadRole) -> list[Document]:
    backups = {"name": "backups", "persistentVolumeClaim": {"claimName": BACKUPS}}
    return [
        {"name": "data", "emptyDir": {"sizeLimit": "3Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}},
        {"name": "cluster", "configMap": {"name": CLUSTER}},
        *([backups] if role in _HOLD_BACKUPS else []),
    ]


def _secret(variable: str, secret: str, key: str) -> Document:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _settings(settings: Workloads) -> dict[str, str]:
    return {
        "CLAWSTACK_DATA_DIR": DATA,
        "CLAWSTACK_LOG_FORMAT": "json",
        "HOME": DATA,
        **({"CLAWSTACK_BACKUP_URL": settings.backup_url} if settings.backup_url else {}),
    }


def _variables(values: Mapping[str, str]) -> list[Document]:
    return [{"name": name, "value": value} for name, value in values.items()]
