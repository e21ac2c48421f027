"""A short-lived pod that opens the volume of a cell whose gateway does not run: for a backup, or to fill a new cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clawstack.naming import namespace_name
from tenants.namespace.files import CONFIG_MOUNT, VOLUME
from tenants.namespace.isolation import EPHEMERAL_LIMIT
from tenants.namespace.settings import NamespaceSettings
from tenants.namespace.workload import CLAIM, CONFIG, NAME, container, placement, pod_security
from tenants.spec import CellSpec

KEEPER: Final = "backup"
"""Name of the pod and of its container."""
_LIFE_SECONDS: Final = 3600
"""It ends by itself when the platform that made it does not come back."""
_MEMORY_MB: Final = 1024
_WAIT: Final = f"trap 'exit 0' TERM; sleep {_LIFE_SECONDS} & wait"


def keeper_pod(spec: CellSpec, settings: NamespaceSettings, *, labels: Mapping[str, str]) -> dict[str, Any]:
    """As restricted as the gateway and within the same quota, but none of its tokens and no network: no rule names it."""
    memory = min(_MEMORY_MB, spec.resources.memory_mb)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": KEEPER, "namespace": namespace_name(spec.slug), "labels": dict(labels)},
        "spec": {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE_SECONDS,
            "terminationGracePeriodSeconds": 2,
            "securityContext": pod_security(),
            **placement(spec, settings),
            "containers": [
                {
                    "name": KEEPER,
                    **container(settings),
                    "command": ["sh", "-c", _WAIT],
                    "env": [{"name": "NODE_OPTIONS", "value": f"--max-old-space-size={memory // 2}"}],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
                        "limits": {
                            "cpu": f"{round(spec.resources.cpu * 1000)}m",
                            "memory": f"{memory}Mi",
                            "ephemeral-storage": EPHEMERAL_LIMIT,
                        },
                    },
                    "volumeMounts": [
                        {"name": "state", "mountPath": str(VOLUME)},
                        {"name": "config", "mountPath": str(CONFIG_MOUNT), "readOnly": True},
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
                    ],
                }
            ],
            "volumes": [
                {"name": "state", "persistentVolumeClaim": {"claimName": CLAIM}},
                {"name": "config", "configMap": {"name": CONFIG, "defaultMode": 0o440}},
                {"name": "tmp", "emptyDir": {"sizeLimit": EPHEMERAL_LIMIT}},
            ],
        },
    }
