"""What the rules see of a Kubernetes object: whether it is a cell's, and the pods inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.labels import TENANT
from clawstack.naming import CELL_PROJECT, namespace_name

_PREFIX: Final = "kubernetes:"
_CELL_NAMESPACE: Final = namespace_name("x").removesuffix("x")
#: Where the pod's specification is, by kind.
_POD_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "ReplicationController": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "PodTemplate": ("template", "spec"),
}
CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")


def kind_of(type_: str) -> str:
    """`StatefulSet` for `kubernetes:apps/v1:StatefulSet`; empty for what is no Kubernetes object."""
    return type_.rsplit(":", 1)[-1] if type_.startswith(_PREFIX) else ""


def metadata_of(props: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata, empty where there is none."""
    return dict(props.get("metadata") or {})


def of_cell(type_: str, urn: str, props: Mapping[str, Any]) -> bool:
    """Whether a cell's stack declares it, or it says itself that it is a tenant's; platform objects are not judged."""
    if not kind_of(type_):
        return False
    if f"::{CELL_PROJECT}::" in urn:
        return True
    metadata = metadata_of(props)
    place = metadata.get("name") if kind_of(type_) == "Namespace" else metadata.get("namespace")
    return TENANT in dict(metadata.get("labels") or {}) or str(place or "").startswith(_CELL_NAMESPACE)


def pod_of(type_: str, props: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod specification in the object, None where it holds no pods."""
    path = _POD_PATHS.get(kind_of(type_))
    if path is None:
        return None
    found: Any = props
    for step in path:
        found = (found or {}).get(step)
    return dict(found or {})


def containers_of(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and content of every container, those that only start up included."""
    for group in CONTAINERS:
        for container in pod.get(group) or []:
            yield str(container.get("name") or "?"), container
