"""Reads the objects of one cell, and asks for the few changes that are no part of its stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lightkube.exceptions import ApiError
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import ConfigMap, Event, PersistentVolumeClaim, Pod
from lightkube.types import PatchType

from clawstack.naming import namespace_name
from services.cells.substrates.namespace.cluster import Cluster
from services.cells.substrates.namespace.judge import POD, View, is_ready
from tenants.namespace.workload import CLAIM, CONFIG, NAME

_NUDGE: Final = "clawstack.dev/looked-at"
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Identity of an event and how often it was told.
EventKey = tuple[str, int]


class CellObjects:
    """One cell's namespace on a cluster."""

    def __init__(self, cluster: Cluster, slug: str) -> None:
        self.cluster = cluster
        self.slug = slug
        self.namespace = namespace_name(slug)

    async def pod(self, name: str = POD) -> Pod | None:
        """The gateway's pod, or another one of the namespace."""
        return await self.cluster.read(Pod, name, self.namespace)

    async def stateful_set(self) -> StatefulSet | None:
        """What asks for the gateway's pod."""
        return await self.cluster.read(StatefulSet, NAME, self.namespace)

    async def claim(self) -> PersistentVolumeClaim | None:
        """The claim on the cell's volume."""
        return await self.cluster.read(PersistentVolumeClaim, CLAIM, self.namespace)

    async def config(self) -> ConfigMap | None:
        """OpenClaw's configuration, as it is mounted."""
        return await self.cluster.read(ConfigMap, CONFIG, self.namespace)

    async def events(self) -> list[Event]:
        """Everything told about the namespace within the last hour, oldest first."""
        return sorted(await self.cluster.all(Event, self.namespace), key=_told_at)

    async def view(self, *, before: frozenset[EventKey] = frozenset()) -> View:
        """What `judge` needs at this point of a start. Events in `before` are left out: they were told earlier."""
        pod = await self.pod()
        if pod is not None and is_ready(pod):
            return View(stateful_set=None, pod=pod)
        node = pod.spec.nodeName if pod and pod.spec else None
        return View(
            stateful_set=await self.stateful_set() if pod is None else None,
            pod=pod,
            claim=await self.claim() if pod is not None and node is None else None,
            events=[event for event in await self.events() if event_key(event) not in before],
            node=await self.cluster.node(node) if node else None,
        )

    async def scale(self, replicas: int) -> None:
        """Ask for a gateway, or for none."""
        await self.cluster.patch(StatefulSet, NAME, self.namespace, {"spec": {"replicas": replicas}})

    async def nudge(self) -> None:
        """Make the StatefulSet's controller look again now; after refusals it waits up to a quarter of an hour."""
        await self.annotate(StatefulSet, NAME, {_NUDGE: datetime.now(UTC).isoformat(timespec="seconds")})

    async def annotate(self, kind: Any, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of an object, remove those that are None."""
        await self.cluster.patch(kind, name, self.namespace, {"metadata": {"annotations": dict(annotations)}})

    async def resize(self, resources: Mapping[str, Any]) -> str | None:
        """Give the running gateway other resources; the server's words where it refuses that."""
        change = {"spec": {"containers": [{"name": NAME, "resources": dict(resources)}]}}
        with self.cluster.translated():
            try:
                await self.cluster.client.patch(
                    Pod.Resize, POD, change, namespace=self.namespace, patch_type=PatchType.STRATEGIC
                )
            except ApiError as error:
                if error.status.code in _NOT_RESIZABLE:
                    return str(error.status.message or error)
                raise
        return None

    async def grow(self, disk_mb: int) -> str | None:
        """Ask for a larger volume; the server's words where it refuses that."""
        change = {"spec": {"resources": {"requests": {"storage": f"{disk_mb}Mi"}}}}
        with self.cluster.translated():
            try:
                await self.cluster.client.patch(
                    PersistentVolumeClaim, CLAIM, change, namespace=self.namespace, patch_type=PatchType.MERGE
                )
            except ApiError as error:
                if error.status.code in _NOT_RESIZABLE:
                    return str(error.status.message or error)
                raise
        return None


#: Forbidden by quota or class; no such sub-resource before Kubernetes 1.33; a change that cannot be made in place.
_NOT_RESIZABLE: Final = frozenset({400, 403, 404, 405, 422})


def event_key(event: Event) -> EventKey:
    """Changes each time the same event is told again."""
    count = event.series.count if event.series and event.series.count else event.count
    return str(event.metadata.uid), count or 1


def event_keys(events: Sequence[Event]) -> frozenset[EventKey]:
    """All of them."""
    return frozenset(event_key(event) for event in events)


def _told_at(event: Event) -> datetime:
    series = event.series.lastObservedTime if event.series else None
    told = series or event.lastTimestamp or event.eventTime or event.metadata.creationTimestamp
    return told or _EARLIEST
