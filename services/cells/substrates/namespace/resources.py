"""What a running gateway has and what it should have: pure comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from lightkube.models.core_v1 import Container, PodSpec, ResourceRequirements
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import PersistentVolumeClaim, Pod
from lightkube.utils.quantity import parse_quantity

from tenants.namespace.files import NODE_OPTIONS
from tenants.namespace.workload import DIGEST, NAME

_RESIZABLE: Final = ("cpu", "memory")
_HEAP: Final = re.compile(r"--max-old-space-size=(\d+)")
_HEAP_SHARE: Final = Decimal("0.75")
"""A heap above this part of the container's memory meets the limit before Node collects."""
_MEBI: Final = 1024 * 1024

Quantities = dict[tuple[str, str], Decimal]


def needs_new_pod(pod: Pod, stateful_set: StatefulSet) -> str | None:
    """Why the running pod must be replaced by one of the present template; None where it need not be."""
    wanted = _annotation(stateful_set.spec.template.metadata)
    if wanted != _annotation(pod.metadata):
        return "its settings changed in a way that takes a restart"
    container, limit = _gateway(pod.spec), _limits(stateful_set).get(("limits", "memory"))
    if container is None or limit is None:
        return None
    options = next((entry.value or "" for entry in container.env or () if entry.name == NODE_OPTIONS), "")
    heap = _HEAP.search(options)
    if heap and Decimal(heap[1]) * _MEBI > limit * _HEAP_SHARE:
        return "its plan has less memory now than the running gateway was made for"
    return None


def wanted_resize(pod: Pod, stateful_set: StatefulSet) -> dict[str, Any] | None:
    """The resources to give the running gateway; None where it has them."""
    wanted, there = _limits(stateful_set), _quantities(_resources(_gateway(pod.spec)))
    if all(there.get(key) == value for key, value in wanted.items()):
        return None
    template = _resources(_gateway(stateful_set.spec.template.spec))
    if template is None:
        return None
    return {
        part: {name: values[name] for name in _RESIZABLE if name in values}
        for part, values in (("requests", template.requests or {}), ("limits", template.limits or {}))
    }


def has_resources(pod: Pod, resources: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the node gave the gateway these resources already."""
    status = next((entry for entry in (pod.status and pod.status.containerStatuses) or () if entry.name == NAME), None)
    actual = _quantities(status.resources if status else None)
    return all(
        actual.get((part, name)) == parse_quantity(value)
        for part, values in resources.items()
        for name, value in values.items()
    )


def resize_obstacle(pod: Pod) -> str | None:
    """Why the node cannot give the gateway its new resources now; None where it can or already did."""
    for condition in (pod.status.conditions if pod.status else None) or []:
        if condition.type == "PodResizePending" or (
            condition.type == "PodResizeInProgress" and condition.reason == "Error"
        ):
            return f"{condition.reason or 'pending'}: {condition.message or 'no reason given'}"
    return None


def smaller_than(claim: PersistentVolumeClaim, disk_mb: int) -> bool:
    """Whether the claim asks for less than that."""
    resources = claim.spec.resources if claim.spec else None
    asked = (resources.requests or {}).get("storage") if resources else None
    return asked is not None and (parse_quantity(asked) or Decimal(0)) < disk_mb * _MEBI


def _annotation(metadata: Any) -> str | None:
    return (metadata.annotations or {}).get(DIGEST) if metadata else None


def _limits(stateful_set: StatefulSet) -> Quantities:
    return _quantities(_resources(_gateway(stateful_set.spec.template.spec)))


def _gateway(spec: PodSpec | None) -> Container | None:
    return next((entry for entry in spec.containers if entry.name == NAME), None) if spec else None


def _resources(container: Container | None) -> ResourceRequirements | None:
    return container.resources if container else None


def _quantities(resources: ResourceRequirements | None) -> Quantities:
    if resources is None:
        return {}
    return {
        (part, name): value
        for part, values in (("requests", resources.requests), ("limits", resources.limits))
        for name in _RESIZABLE
        if (value := parse_quantity((values or {}).get(name))) is not None
    }
