"""What a cell's objects look like, in a few letters each: compared with what the last operation left, it shows drift."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lightkube.core.resource import ApiInfo, ResourceDef
from lightkube.generic_resource import GenericNamespacedResource
from lightkube.resources.core_v1 import Namespace

from clawstack.labels import IN_NAMESPACES, MANAGED_BY, SUBSTRATE
from services.cells.substrates.namespace.cluster import Cluster
from tenants.namespace import isolation, workload

"""By `Kind/name`."""
_OURS: Final = {MANAGED_BY: "clawstack", SUBSTRATE: IN_NAMESPACES}
_LETTERS: Final = 12


def _specification(item: Mapping[str, Any]) -> Any:
    return item.get("spec")


def _version(item: Mapping[str, Any]) -> Any:
    # Their content is private or personal, so not even a digest of it is kept; nothing but a change moves this.
    return item["metadata"].get("resourceVersion")


def _mounts(item: Mapping[str, Any]) -> Any:
    return item.get("automountServiceAccountToken")


def _plain(group: str, version: str, kind: str, plural: str) -> type[GenericNamespacedResource]:
    """Objects of a kind as they come: a sweep reads thousands, and needs none of them as the library's classes."""
    info = ApiInfo(resource=ResourceDef(group, version, kind), plural=plural, verbs=["global_list", "list"])
    return type(kind, (GenericNamespacedResource,), {"_api_info": info})


_NETWORK_POLICY: Final = _plain("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
_SECRET: Final = _plain("", "v1", "Secret", "secrets")
#: Objects in a cell's namespace: kind, name, and what of them only an operation may change. Asked for by name, so that
#: the platform's account needs no right to list anybody else's Secrets.
_OBJECTS: Final[tuple[tuple[type[GenericNamespacedResource], str, Callable[[Mapping[str, Any]], Any]], ...]] = (
    (_NETWORK_POLICY, isolation.DENY, _specification),
    (_NETWORK_POLICY, isolation.RULES, _specification),
    (_plain("apps", "v1", "StatefulSet", "statefulsets"), workload.NAME, _specification),
    (_plain("", "v1", "Service", "services"), workload.NAME, _specification),
    (_plain("", "v1", "ResourceQuota", "resourcequotas"), isolation.QUOTA, _specification),
    (_plain("", "v1", "LimitRange", "limitranges"), isolation.LIMITS, _specification),
    (_plain("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"), workload.CLAIM, _specification),
    (_plain("", "v1", "ServiceAccount", "serviceaccounts"), workload.NAME, _mounts),
    (_plain("", "v1", "ConfigMap", "configmaps"), workload.CONFIG, _version),
    (_SECRET, workload.TOKENS, _version),
    (_SECRET, workload.WORKSPACE, _version),
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


def _collected(lists: Iterable[Iterable[Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for (kind, _, what), items in zip(_OBJECTS, lists, strict=True):
        for item in items:
            metadata = item["metadata"]
            if (metadata.get("labels") or {}).get(MANAGED_BY) == _OURS[MANAGED_BY]:
                key = f"{kind.__name__}/{metadata['name']}"
                found.setdefault(metadata["namespace"], {})[key] = _digest(what(item))
    return found


def _of_namespace(live: Namespace) -> tuple[str, str]:
    labels = {} if live.metadata is None else dict(live.metadata.labels or {})
    return "Namespace/labels", _digest(labels)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]
