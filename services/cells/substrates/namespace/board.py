"""What runs on the cluster, listed for all cells at once: a sweep over hundreds of cells costs a few calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import Pod
from lightkube.utils.quantity import parse_quantity

from clawstack.errors import ClawstackError
from clawstack.labels import IN_NAMESPACES, MANAGED_BY, SUBSTRATE
from services.cells.substrates.namespace import fingerprints
from services.cells.substrates.namespace.cluster import Cluster
from services.cells.substrates.namespace.judge import POD
from tenants.namespace.workload import NAME

CELLS: Final = {MANAGED_BY: "clawstack", SUBSTRATE: IN_NAMESPACES}
_FRESH: Final = 1.0
_OBJECTS_FRESH: Final = 5.0
_USAGE_FRESH: Final = 15.0
"""A metrics server measures about as often."""

T = TypeVar("T")


class _Kept(Generic[T]):
    """An answer that serves everybody who asks within some seconds; asked for once at a time."""

    def __init__(self, ask: Callable[[], Awaitable[T]], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking = asyncio.Lock()
        self._at = -math.inf
        self._answer: T | ClawstackError | None = None

    async def get(self) -> T:
        async with self._asking:
            if self._answer is None or time.monotonic() - self._at >= self._seconds:
                try:
                    self._answer = await self._ask()
                except ClawstackError as error:
                    self._answer = error  # nor does everybody wait for a server that is away
                self._at = time.monotonic()
            if isinstance(self._answer, ClawstackError):
                raise self._answer
            return self._answer


class ClusterBoard:
    """Gateways of all cells, by namespace, at most a second old."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pods = _Kept(self._list_pods, seconds=_FRESH)
        self._stateful_sets = _Kept(self._list_stateful_sets, seconds=_FRESH)
        self._objects = _Kept(lambda: fingerprints.of_all(cluster), seconds=_OBJECTS_FRESH)
        self._usage = _Kept(self._list_usage, seconds=_USAGE_FRESH)
        self._metrics: type[GenericNamespacedResource] | None = None

    async def pod(self, namespace: str) -> Pod | None:
        """The gateway's pod."""
        return (await self._pods.get()).get(namespace)

    async def stateful_set(self, namespace: str) -> StatefulSet | None:
        """What asks for it."""
        return (await self._stateful_sets.get()).get(namespace)

    async def fingerprints(self, namespace: str) -> Mapping[str, str]:
        """What the cell's objects look like, at most some seconds ago."""
        return (await self._objects.get()).get(namespace, {})

    async def memory(self, namespace: str) -> int | None:
        """Bytes that the gateway uses; None where the cluster measures nothing."""
        return (await self._usage.get()).get(namespace)

    async def _list_pods(self) -> Mapping[str, Pod]:
        found = await self._cluster.everywhere(Pod, CELLS)
        return {str(pod.metadata.namespace): pod for pod in found if pod.metadata and pod.metadata.name == POD}

    async def _list_stateful_sets(self) -> Mapping[str, StatefulSet]:
        found = await self._cluster.everywhere(StatefulSet, CELLS)
        return {str(item.metadata.namespace): item for item in found if item.metadata and item.metadata.name == NAME}

    async def _list_usage(self) -> Mapping[str, int]:
        if self._metrics is None:
            self._metrics = create_namespaced_resource("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
        try:
            found = await self._cluster.everywhere(self._metrics, CELLS)
        except ClawstackError:
            return {}  # few clusters promise to measure
        return {str(item.metadata.namespace): _bytes(item) for item in found if item.metadata}


def _bytes(metrics: Mapping[str, Any]) -> int:
    total = Decimal(0)
    for container in metrics.get("containers") or ():
        total += parse_quantity((container.get("usage") or {}).get("memory")) or Decimal(0)
    return int(total)
