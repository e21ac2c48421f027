"""Backups out of a cell, and back into a new one: OpenClaw makes and checks them, here they are sealed on the way.

The last state of a cell is backed up after its gateway stopped, by a keeper pod on the same volume: no turn can be lost
between backup and stop, and the gateway's memory limit is not shared with the backup. A note on the claim says which
archive holds its content, so that a run that was killed does not start over.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import PersistentVolumeClaim, Pod

from clawstack.errors import NeedsAttentionError, TemporaryError
from services.cells.substrates.base.protocol import Tell
from services.cells.substrates.namespace import in_pod, stopping
from services.cells.substrates.namespace.judge import POD, Phase, gateway_began, judge, wants_pod
from services.cells.substrates.namespace.keeper import Room, keeper
from services.cells.substrates.namespace.objects import CellObjects
from tenants.backups.archive import Archive, ArchiveManifest
from tenants.backups.intake import Intake
from tenants.namespace.settings import NamespaceSettings
from tenants.namespace.workload import CLAIM, NAME
from tenants.spec import CellSpec

HELD_BY: Final = "clawstack.dev/held-by"
"""Annotation of the claim: `<archive>@<generation of the StatefulSet>` whose gateway wrote last."""
_NOTHING: Final = "nothing"


class Keeping:
    """Backups of one cell."""

    def __init__(self, cell: CellObjects, spec: CellSpec, settings: NamespaceSettings, *, tell: Tell) -> None:
        self._cell = cell
        self._spec = spec
        self._settings = settings
        self._tell = tell

    async def keep_last_state(self) -> None:
        """The gateway is stopped after its turns, and a verified backup of what it left exists.

        Repeating does only what is missing. Raises NeedsAttentionError when no backup can be made; the gateway is
        stopped then, and its volume kept.
        """
        if await self._is_vanishing():
            self._tell("The namespace is being deleted already: nothing can be read out of it any more.")
            return
        claim = await self._claim_with_data()
        stateful_set = await self._cell.stateful_set()
        pod = await self._cell.pod()
        if claim is None:
            await self._stop(stateful_set, pod)
            self._tell("The assistant never ran: there is nothing to back up.")
            return
        if pod is None and self._is_held(claim, stateful_set):
            self._tell("The backup of the last state is there already.")
            return
        unused = _never_ran(claim, stateful_set, pod)
        await self._note(None)
        await self._stop(stateful_set, pod)
        if unused:
            await self._note(_NOTHING)
            self._tell("The assistant never ran: there is nothing to back up.")
            return
        made = await self._keep_stopped()
        await self._note(made.archive if made else _NOTHING)

    async def keep_now(self) -> None:
        """A verified backup of the cell as it is; a gateway that runs goes on."""
        if await self._claim_with_data() is None:
            self._tell("The assistant never ran: there is nothing to back up.")
            return
        pod = await self._cell.pod()
        verdict = judge(await self._cell.view()) if pod is not None else None
        if verdict is not None and verdict.phase is Phase.READY:
            await self._take(Room(cell=self._cell, pod=POD, container=NAME))
            return
        if (
            verdict is not None and verdict.code == "node_gone"
        ):  # the gateway may still write: nobody else opens its volume
            raise TemporaryError(verdict.sentence, code=verdict.code, retry_after=30.0, remedy=verdict.remedy)
        stateful_set = await self._cell.stateful_set()
        made = await self._keep_stopped()
        if not wants_pod(stateful_set) and pod is None:
            await self._note(made.archive if made else _NOTHING)

    async def only_stop(self) -> None:
        """The gateway is stopped after its turns; nothing is kept."""
        await self._stop(await self._cell.stateful_set(), await self._cell.pod())

    async def fill(self, archive: Archive) -> None:
        """Restore into the volume of a cell that was built suspended; a state that was used is left alone."""
        if await self._cell.claim() is None:
            raise TemporaryError(
                f"{self._spec.slug} has no volume yet that could be filled.",
                code="cell_changed",
                remedy="Build the cell suspended first; the operation is tried again.",
            )
        await stopping.wait_stopped(self._cell, tell=self._tell, seconds=stopping.STOP_SECONDS)
        async with keeper(self._cell, self._spec, self._settings) as room:
            filled = await in_pod.fill(room, self._spec, self._settings, archive)
        await stopping.note_used(self._cell)
        if filled:
            self._tell("The assistant's memory was restored.")

    async def _keep_stopped(self) -> ArchiveManifest | None:
        async with keeper(self._cell, self._spec, self._settings) as room:
            return await self._take(room)

    async def _take(self, room: Room) -> ArchiveManifest | None:
        made = await in_pod.make_archive(room, self._spec, self._settings)
        if made is None:
            self._tell("The assistant never ran: there is nothing to back up.")
            return None
        try:
            with Intake(
                self._spec.directories.backups,
                slug=self._spec.slug,
                key=self._spec.backup_key.get_secret_value(),
                version=self._settings.version,
            ) as intake:
                await room.receive(made.path, intake)
                manifest = await asyncio.to_thread(intake.finish, sha256=made.sha256)
        except OSError as error:
            raise NeedsAttentionError(
                f"The backup of {self._spec.slug} could not be written: {error.strerror}.",
                code="backup_failed",
                remedy=f"Make room below {self._spec.directories.backups}, then run the operation again; nothing was erased.",
            ) from error
        finally:
            await in_pod.forget_archive(room, made)
        self._tell(f"A verified backup was made ({manifest.size / 1024:.0f} KiB).")
        return manifest

    async def _is_vanishing(self) -> bool:
        """Whether a destruction is under way, for which the backup was made before it began."""
        live = await self._cell.cluster.namespace(self._cell.namespace)
        return live is not None and live.status is not None and live.status.phase == "Terminating"

    async def _claim_with_data(self) -> PersistentVolumeClaim | None:
        """The claim; None where no volume was ever bound to it, so that nobody can have written anything."""
        claim = await self._cell.claim()
        if claim is None or claim.status is None or claim.status.phase != "Bound":
            return None
        return claim

    async def _stop(self, stateful_set: StatefulSet | None, pod: Pod | None) -> None:
        if stateful_set is not None and (wants_pod(stateful_set) or pod is not None):
            await stopping.stop(self._cell, tell=self._tell)
        elif pod is not None:
            await stopping.wait_stopped(self._cell, tell=self._tell, seconds=stopping.STOP_SECONDS)

    async def _note(self, archive: str | None) -> None:
        stateful_set = await self._cell.stateful_set()
        value = f"{archive}@{_generation(stateful_set)}" if archive is not None else None
        await self._cell.annotate(PersistentVolumeClaim, CLAIM, {HELD_BY: value})

    def _is_held(self, claim: PersistentVolumeClaim, stateful_set: StatefulSet | None) -> bool:
        """Whether nothing can have been written since the archive that the claim's note names."""
        note = (claim.metadata.annotations or {}).get(HELD_BY) if claim.metadata else None
        archive, _, generation = (note or "").rpartition("@")
        if not archive or wants_pod(stateful_set) or generation != _generation(stateful_set):
            return False
        return archive == _NOTHING or self._exists(archive)

    def _exists(self, archive: str) -> bool:
        folder: Path = self._spec.directories.backups / self._spec.slug
        return (folder / archive).is_file() and (folder / archive.replace(".tar.gz.enc", ".json")).is_file()


def _generation(stateful_set: StatefulSet | None) -> str:
    """Changes whenever somebody asks for something else, a gateway for instance."""
    if stateful_set is None or stateful_set.metadata is None:
        return "none"
    return f"{stateful_set.metadata.uid}/{stateful_set.metadata.generation}"


def _never_ran(claim: PersistentVolumeClaim, stateful_set: StatefulSet | None, pod: Pod | None) -> bool:
    """Whether it is certain that no gateway ever began on this volume: only where nothing was ever changed or ready."""
    used = bool(claim.metadata and stopping.USED in (claim.metadata.annotations or {}))
    if used or stateful_set is None or stateful_set.metadata is None or stateful_set.metadata.generation != 1:
        return False
    return not gateway_began(pod) if pod is not None else not wants_pod(stateful_set)
