"""Cells as namespaces of a Kubernetes cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from lightkube.resources.core_v1 import Namespace, PersistentVolume, Pod
from typing_extensions import override

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError
from clawstack.labels import TENANT
from clawstack.naming import namespace_name
from clawstack.vocabulary import Desired, Observed
from services.cells.substrates.base.protocol import CellLook, Orphan, SubstrateDriver, Tell
from services.cells.substrates.namespace import ending, fingerprints
from services.cells.substrates.namespace.board import CELLS, ClusterBoard
from services.cells.substrates.namespace.cluster import Cluster
from services.cells.substrates.namespace.judge import CellVerdict, Phase, View, gateway_began, is_same, judge, talker
from services.cells.substrates.namespace.keeping import Keeping
from services.cells.substrates.namespace.objects import CellObjects
from services.cells.substrates.namespace.settle import PodPatience, PodSettling
from tenants.backups.archive import Archive
from tenants.namespace.settings import NamespaceSettings
from tenants.namespace.workload import NAME
from tenants.spec import CellSpec

_GONE_SECONDS: Final = 60.0
_POLL: Final = 0.5
_MEANING: Final = {
    Phase.READY: Observed.RUNNING,
    Phase.STOPPED: Observed.SUSPENDED,
    Phase.BROKEN: Observed.BROKEN,
    Phase.UNPLACED: Observed.BROKEN,
}


class NamespaceDriver(SubstrateDriver):
    """One cluster. Everything is read from the API server; nothing is kept here but a connection."""

    def __init__(self, settings: NamespaceSettings, *, patience: PodPatience | None = None) -> None:
        self._settings = settings
        self._patience = patience or PodPatience()
        self._cluster = Cluster(settings)
        self._board = ClusterBoard(self._cluster)

    @override
    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        """A gateway that is to stop is stopped and backed up, unless that was done before."""
        if spec.desired is Desired.SUSPENDED:
            await self._keeping(spec, tell).keep_last_state()

    @override
    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        """See `services.cells.substrates.namespace.settle`."""
        await PodSettling(self._cell(spec.slug), spec, tell=tell, patience=self._patience).run()

    @override
    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        """Stop and back up, before everything goes at once: network rules may vanish before a pod that still works."""
        if (stuck := await self.obstacle(spec.slug)) is not None:
            raise stuck  # a deletion is under way since an earlier run: asking again would only hold a worker
        keeping = self._keeping(spec, tell)
        if spec.skip_backup:
            await keeping.only_stop()
            tell("No backup is made, as the operator said.")
        else:
            await keeping.keep_last_state()

    @override
    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        """Namespace and volumes vanish within a minute, or this says what holds them."""
        deadline = time.monotonic() + _GONE_SECONDS
        while True:
            left = await self._left(namespace_name(slug))
            if not left:
                tell("Nothing of the assistant is left on the cluster.")
                return
            kept = await self._kept(namespace_name(slug))
            if kept and len(kept) == len(left):
                raise _volumes_kept(slug, kept)
            if time.monotonic() >= deadline:
                raise TemporaryError(
                    f"Of {slug} there is still: {'; '.join(left)}.",
                    code="cell_remains",
                    retry_after=30.0,
                    remedy="It is looked at again.",
                )
            await asyncio.sleep(_POLL)

    @override
    async def obstacle(self, slug: str) -> TemporaryError | None:
        """In the words of the namespace's own conditions."""
        live = await self._cluster.namespace(namespace_name(slug))
        return None if live is None else ending.obstacle(live, now=datetime.now(UTC))

    @override
    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        """OpenClaw copies its databases online; a stopped cell is opened by a pod of its own for that."""
        await self._keeping(spec, tell).keep_now()

    @override
    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        """Fill the volume of a cell that was built suspended."""
        await self._keeping(spec, tell).fill(archive)

    @override
    async def look(self, slug: str, *, port: int) -> CellLook:
        """From lists that all looks within a second share; `port` is the same in all pods."""
        del port
        try:
            return await self._look(namespace_name(slug))
        except ClawstackError as error:
            return CellLook(observed=Observed.UNKNOWN, reason=error.sentence(), where=self._settings.cluster)

    @override
    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        """Of everything in the cell's namespace, read now."""
        return await fingerprints.of_cell(self._cluster, namespace_name(slug))

    @override
    async def logs(self, slug: str, *, lines: int) -> list[str]:
        """The gateway's own, or those of its preparation where it never began."""
        cell = self._cell(slug)
        pod = await cell.pod()
        if pod is None:
            return []
        return await self._cluster.logs(pod, talker(pod), lines=lines)

    @override
    async def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        """Across restarts of the container; ends with the pod."""
        pod, tail = await self._cell(slug).pod(), cast("int | None", lines)
        while pod is not None and gateway_began(pod):
            async for line in self._cluster.follow(pod, NAME, lines=tail):
                yield line
            await asyncio.sleep(_POLL)
            before, pod = pod, await self._cell(slug).pod()
            if pod is not None and not is_same(before, pod):
                return
            # A new run of the container is told from its first line on; a stream that broke goes on where it was.
            tail = None if pod is not None and _runs(pod) != _runs(before) else 0

    @override
    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        """Namespaces that carry this platform's labels, and volumes that a vanished one left behind."""
        namespaces = await self._cluster.namespaces(CELLS)
        found = {slug: namespace for namespace in namespaces if (slug := _slug(namespace)) and slug not in known}
        left = [Orphan(slug=slug, what=f"the namespace {namespace_name(slug)}") for slug in sorted(found)]
        return left + [
            Orphan(slug=slug, what=f"the volume {volume.metadata.name if volume.metadata else '?'}")
            for volume in await self._cluster.volumes() or ()
            if (slug := _slug_of_volume(volume)) and slug not in known and slug not in found
        ]

    @override
    async def aclose(self) -> None:
        """Close the connections."""
        await self._cluster.aclose()

    def _cell(self, slug: str) -> CellObjects:
        return CellObjects(self._cluster, slug)

    def _keeping(self, spec: CellSpec, tell: Tell) -> Keeping:
        return Keeping(self._cell(spec.slug), spec, self._settings, tell=tell)

    async def _look(self, namespace: str) -> CellLook:
        pod = await self._board.pod(namespace)
        stateful_set = None if pod else await self._board.stateful_set(namespace)
        if pod is None and stateful_set is None:
            return CellLook(observed=Observed.ABSENT, reason="There is no gateway in the namespace.")
        verdict = judge(View(stateful_set=stateful_set, pod=pod))
        name = pod.spec.nodeName if pod and pod.spec else None
        if name and verdict.phase not in {Phase.READY, Phase.STOPPED}:
            verdict = judge(View(stateful_set=stateful_set, pod=pod, node=await self._cluster.node(name)))
        return CellLook(
            observed=_MEANING.get(verdict.phase, Observed.UNKNOWN),
            reason=None if verdict.phase in {Phase.READY, Phase.STOPPED} else _words(verdict),
            where=name or self._settings.cluster,
            restarts=verdict.restarts,
            memory_bytes=await self._board.memory(namespace) if verdict.phase is Phase.READY else None,
            started_at=pod.status.startTime if pod and pod.status else None,
            objects=await self._board.fingerprints(namespace),
        )

    async def _kept(self, namespace: str) -> list[str]:
        """Names of volumes without a claim that nothing will ever delete by itself."""
        volumes = [volume for volume in await self._cluster.volumes() or () if volume.spec and volume.spec.claimRef]
        return [
            str(volume.metadata.name)
            for volume in volumes
            if volume.metadata and volume.spec and volume.spec.claimRef and volume.spec.claimRef.namespace == namespace
            and volume.spec.persistentVolumeReclaimPolicy == "Retain" and volume.status and volume.status.phase == "Released"
        ]  # fmt: skip

    async def _left(self, namespace: str) -> list[str]:
        left = []
        live = await self._cluster.namespace(namespace)
        if live is not None:
            held = ending.held_by(live)
            left.append(f"the namespace {namespace}" + (f" ({held})" if held else ""))
        for volume in await self._cluster.volumes() or ():
            claim = volume.spec.claimRef if volume.spec else None
            if claim is not None and claim.namespace == namespace:
                phase = volume.status.phase if volume.status else None
                left.append(f"the volume {volume.metadata.name if volume.metadata else '?'} ({phase or 'unknown'})")
        return left


def _volumes_kept(slug: str, names: list[str]) -> NeedsAttentionError:
    # Not "delete the volume": that of Kubernetes alone, and the disk with the customer's data is paid for and forgotten.
    patch = """-p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'"""
    return NeedsAttentionError(
        f"Of {slug} there is still: {', '.join(f'the volume {name}' for name in names)}, which the storage class keeps.",
        code="volume_kept",
        remedy=f"`kubectl patch pv {' '.join(names)} {patch}` has the driver delete disk and volume; then retry. "
        "Deleting the volume's object alone would leave the disk. Give cells a storage class that deletes.",
    )


def _words(verdict: CellVerdict) -> str:
    return f"{verdict.sentence} {verdict.remedy}".strip()


def _slug(namespace: Namespace) -> str | None:
    return (namespace.metadata.labels or {}).get(TENANT) if namespace.metadata else None


def _slug_of_volume(volume: PersistentVolume) -> str | None:
    claim = volume.spec.claimRef if volume.spec else None
    prefix = namespace_name("x").removesuffix("x")
    name = claim.namespace if claim else None
    return name.removeprefix(prefix) if name and name.startswith(prefix) else None


def _runs(pod: Pod) -> int:
    return next(
        (entry.restartCount for entry in (pod.status and pod.status.containerStatuses) or () if entry.name == NAME), 0
    )
