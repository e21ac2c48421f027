"""What a cell's objects look like, in a few letters each: compared with what the last operation left, it shows drift."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import (
    ConfigMap,
    LimitRange,
    Namespace,
    PersistentVolumeClaim,
    ResourceQuota,
    Secret,
    Service,
    ServiceAccount,
)
from lightkube.resources.networking_v1 import NetworkPolicy

from clawstack.labels import MANAGED_BY, SUBSTRATE
from services.substrates.namespace.cluster import Cluster
from tenants.namespace import isolation, workload

Fingerprints = Mapping[str, str]
"""By `Kind/name`."""
_OURS: Final = {MANAGED_BY: "clawstack", SUBSTRATE: "namespace"}
_LETTERS: Final = 12


def _specification(item: Mapping[str, Any]) -> Any:
    return item.get("spec")


def _version(item: Mapping[str, Any]) -> Any:
    # Their content is private or personal, so not even a digest of it is kept; nothing but a change moves this.
    return item["metadata"].get("resourceVersion")


def _mounts(item: Mapping[str, Any]) -> Any:
    return item.get("automountServiceAccountToken")


#: Objects in a cell's namespace: kind, name, and what of them only an operation may change. Asked for by name, so that
#: the platform's account needs no right to list anybody else's Secrets.
_OBJECTS: Final[tuple[tuple[Any, str, Callable[[Mapping[str, Any]], Any]], ...]] = (
    (NetworkPolicy, isolation.DENY, _specification),
    (NetworkPolicy, isolation.RULES, _specification),
    (StatefulSet, workload.NAME, _specification),
    (Service, workload.NAME, _specification),
    (ResourceQuota, isolation.QUOTA, _specification),
    (LimitRange, isolation.LIMITS, _specification),
    (PersistentVolumeClaim, workload.CLAIM, _specification),
    (ServiceAccount, workload.NAME, _mounts),
    (ConfigMap, workload.CONFIG, _version),
    (Secret, workload.TOKENS, _version),
    (Secret, workload.WORKSPACE, _version),
)


def names() -> set[str]:
    """What is looked at, as `Kind/name`."""
    return {f"{kind.__name__}/{name}" for kind, name, _ in _OBJECTS}


async def of_cell(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Fingerprints of one cell's objects, read now."""
    lists = await asyncio.gather(*(cluster.all(kind, namespace, name=name) for kind, name, _ in _OBJECTS))
    found = _collected(lists)
    live = await cluster.namespace(namespace)
    return found.get(namespace, {}) | ({} if live is None else dict([_of_namespace(live)]))


async def of_all(cluster: Cluster) -> dict[str, dict[str, str]]:
    """Fingerprints of every cell's objects, by namespace: a dozen calls, however many cells."""
    lists = await asyncio.gather(*(cluster.everywhere(kind, _OURS, name=name) for kind, name, _ in _OBJECTS))
    found = _collected(lists)
    for live in await cluster.namespaces(_OURS):
        name = str(live.metadata.name) if live.metadata else ""
        found.setdefault(name, {}).update([_of_namespace(live)])
    return found


def _collected(lists: Iterable[Iterable[Any]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for (kind, _, what), items in zip(_OBJECTS, lists, strict=True):
        for item in items:
            document = item.to_dict()
            metadata = document["metadata"]
            if (metadata.get("labels") or {}).get(MANAGED_BY) == _OURS[MANAGED_BY]:
                key = f"{kind.__name__}/{metadata['name']}"
                found.setdefault(metadata["namespace"], {})[key] = _digest(what(document))
    return found


def _of_namespace(live: Namespace) -> tuple[str, str]:
    labels = {} if live.metadata is None else dict(live.metadata.labels or {})
    return "Namespace/labels", _digest(labels)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]
