"""The driver of the `server` substrate: what is done around an operation, and looking at machines.

A machine is told to stop before its server is deleted, replaced or resized, and waited for afterwards. It is never
called: it calls every few seconds, so everything here is an order that it takes, and a look at what it reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from typing_extensions import override

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.naming import server_name
from clawstack.tokens import TokenKind, parse
from clawstack.vocabulary import Desired, Observed
from services.cells.machines.channel import MachineChannel, serving
from services.cells.machines.schemas import MachinePhase, MachineState, OrderKind
from services.cells.substrates.base.protocol import CellLook, Orphan, SubstrateDriver, Tell
from services.cells.substrates.server.hetzner import Project
from services.cells.substrates.server.moving import Moving
from services.cells.substrates.server.resealing import reseal
from services.cells.substrates.server.retiring import Foreman, MachinePatience, is_running, is_silent, silence
from services.cells.substrates.server.settling import MachineSettling
from tenants.backups.archive import Archive
from tenants.server.settings import ServerSettings
from tenants.server.sites import site_of
from tenants.spec import CellSpec

_MEANING: Final = {
    MachinePhase.READY: Observed.RUNNING,
    MachinePhase.STOPPED: Observed.SUSPENDED,
    MachinePhase.FAILED: Observed.BROKEN,
}
_FOLLOW_SECONDS: Final = 2.0


class ServerDriver(SubstrateDriver):
    """One Hetzner project and the machines in it."""

    def __init__(
        self,
        *,
        settings: ServerSettings,
        channel: MachineChannel,
        project: Project | None = None,
        patience: MachinePatience | None = None,
    ) -> None:
        """`channel`: `services.cells.machines.channel.MachineChannel` on the platform's database."""
        self._settings = settings
        self._channel = channel
        self._project = project or Project(settings)
        self._moving = Moving(settings, channel, self._project)
        self._foreman = Foreman(channel, patience or MachinePatience())
        self._settling = MachineSettling(channel, settings, patience or MachinePatience())

    @override
    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        """Stop and back up a machine whose server is about to go; let one that is resized finish its turns."""
        machine = serving(await self._channel.machines(spec.slug))
        if spec.desired is not Desired.RUNNING:
            await self._prepare_suspension(spec, machine, tell)
        elif machine is None:
            await self._require_snapshot(spec)
            await self._moving.make_way(spec, tell=tell)
        elif machine.key != boot_key(spec):
            tell("The machine is to be replaced; the assistant's memory stays on its volume.")
            await self._make_way(spec, machine, tell)
        elif is_running(machine) and await self._is_to_be_resized(spec):
            tell("The server is to be resized; it will be switched off for a moment.")
            await self._foreman.have(spec.slug, machine, OrderKind.STOP, tell=tell)

    @override
    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        """Wait for the machine's word, or for nothing when the cell is suspended."""
        if spec.desired is Desired.RUNNING:
            await self._settling.until_ready(spec.slug, boot_key(spec), tell=tell)
            return
        # Its tokens lie on a disk that is gone and in a snapshot that is not: nobody may use them again.
        await self._channel.close(spec.slug)
        tell("The server is deleted; its volume is kept.")

    @override
    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        """Take the last backup, then let the volume be deleted."""
        if not spec.skip_backup:
            await self._back_up_for_good(spec, tell)
        await self._project.unprotect(spec.slug)

    @override
    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        """Snapshots are removed here: no stack knows them."""
        await self._channel.close(slug)
        removed = await self._project.delete_snapshots(slug)
        if removed:
            tell(f"{removed} snapshot{'' if removed == 1 else 's'} removed.")
        left = await self._project.leftovers(slug)
        if left:
            raise TemporaryError(
                f"Hetzner still has of {slug}: {', '.join(left)}.", code="server_leftovers", retry_after=15
            )
        await self._channel.forget(slug)
        tell("Nothing is left of the cell at Hetzner.")

    @override
    async def elsewhere(self, spec: CellSpec, error: TemporaryError) -> TemporaryError:
        """Another type or location of the settings, as long as there is one that was not tried."""
        return await self._moving.after(spec, error)

    @override
    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        """The machine copies its databases online, seals and uploads them; a suspended cell was backed up when it stopped."""
        machine = serving(await self._channel.machines(spec.slug))
        if machine is None or machine.phase is MachinePhase.STOPPED:
            tell("The assistant does not run; its backup was made when it stopped.")
            return
        made = await self._foreman.have(spec.slug, machine, OrderKind.BACKUP, tell=tell)
        tell(f"A verified backup was made: {made.archive}." if made.archive else "There was nothing to back up.")

    @override
    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        """Seal the archive for this cell; its first machine fetches it and fills the empty volume before the first start."""
        if any(machine.used_at is not None for machine in await self._channel.machines(spec.slug)):
            tell("The assistant has a memory already; it is left alone.")
            return
        await asyncio.to_thread(reseal, archive, spec)
        tell("The backup waits for the cell's first machine.")

    @override
    async def look(self, slug: str, *, port: int) -> CellLook:
        """What the machine last reported. Hetzner is not asked: its limit of requests is for changes."""
        del port
        machines = await self._channel.machines(slug)
        machine = serving(machines)
        if machine is None:
            waiting = any(item.closed_at is None for item in machines)
            return CellLook(
                observed=Observed.UNKNOWN if waiting else Observed.SUSPENDED if machines else Observed.ABSENT,
                reason="The machine has not called yet." if waiting else None,
            )
        return _look(slug, machine)

    @override
    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        """None: what drifts at Hetzner is found by the provider's Read, and looking costs requests."""
        del slug
        return {}

    @override
    async def logs(self, slug: str, *, lines: int) -> list[str]:
        """The end of what the machine uploaded."""
        found, _ = await self._channel.log(slug)
        return found[-lines:] if lines > 0 else []

    @override
    async def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        """The end of the log and what arrives, a few seconds after it was written."""
        found, place = await self._channel.log(slug)
        for line in found[-lines:] if lines > 0 else []:
            yield line
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            found, place = await self._channel.log(slug, after=place)
            for line in found:
                yield line

    @override
    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        """Servers and volumes with a cell's labels that belong to no tenant: they cost money."""
        return [Orphan(slug=slug, what=what) for slug, what in await self._project.cells() if slug not in known]

    @override
    async def undo(self, slug: str, deployment: Mapping[str, Any]) -> list[str]:
        """Names exist once at Hetzner, so what is left would be refused, not found, by making it again."""
        removed = await self._project.undo(slug, deployment)
        if any(what.startswith("server ") for what in removed):
            # It may have used up its boot; the next try has a new one.
            await self._channel.close(slug)
            raise TemporaryError(
                f"A killed run had made {', '.join(removed)} of {slug} and could not write it down; it is removed.",
                code="killed_machine_removed",
                retry_after=1,
            )
        return removed

    @override
    async def aclose(self) -> None:
        """Nothing is kept open."""

    async def _prepare_suspension(self, spec: CellSpec, machine: MachineState | None, tell: Tell) -> None:
        if machine is None:
            tell("No machine runs: there is nothing to stop.")
            return
        await self._retire(spec, machine, tell)
        if self._settings.snapshots_kept == 0:
            return
        try:
            image = await self._project.snapshot(spec.slug, boot=machine.key, labels=spec.labels)
        except NeedsAttentionError as error:
            # State is on the volume and in the backup; without a snapshot the next machine only takes longer.
            tell(f"No snapshot was made: {error.message}")
            image = None
        await self._channel.note_snapshot(spec.slug, image)
        if image is not None:
            tell("A snapshot of the machine was made.")

    async def _make_way(self, spec: CellSpec, machine: MachineState, tell: Tell) -> None:
        """A machine that does not call cannot be asked; nothing is lost with it, so it must not block its successor."""
        if is_silent(machine):
            tell("The old machine does not call; it is replaced as it is.")
            return
        await self._retire(spec, machine, tell)

    async def _retire(self, spec: CellSpec, machine: MachineState, tell: Tell) -> None:
        gone = is_silent(machine) and await self._project.server_type(spec.slug) is None
        if gone and (spec.skip_backup or await self._channel.was_backed_up(spec.slug)):
            tell("The server is gone already; its volume is kept.")
            return
        await self._foreman.retire(spec.slug, machine, tell=tell)

    async def _back_up_for_good(self, spec: CellSpec, tell: Tell) -> None:
        machines = await self._channel.machines(spec.slug)
        machine = serving(machines)
        if machine is not None:
            await self._retire(spec, machine, tell)
            return
        ever = next((item for item in machines if item.used_at is not None), None)
        if ever is None:
            tell("No machine ever ran: there is nothing to back up.")
            return
        last = await self._channel.last(ever.key, OrderKind.RETIRE)
        if last is None or not last.ok:
            raise NeedsAttentionError(
                f"The last machine of {spec.slug} is gone without a backup of its last state.",
                code="no_backup",
                remedy="Resume the cell, so that a machine can back its volume up, or destroy it with --skip-backup.",
            )
        tell("The backup from when the assistant was stopped is its last state.")

    async def _require_snapshot(self, spec: CellSpec) -> None:
        image = spec.boot.image if spec.boot is not None else None
        if image is None or await self._project.has_image(image):
            return
        await self._channel.note_snapshot(spec.slug, None)
        await self._channel.close(spec.slug)
        raise TemporaryError(
            f"The snapshot {image} of {spec.slug} is gone; the next try starts from the installation's image.",
            code="snapshot_gone",
            retry_after=1,
        )

    async def _is_to_be_resized(self, spec: CellSpec) -> bool:
        present = await self._project.server_type(spec.slug)
        return present is not None and present != site_of(spec, self._settings).server_type


def boot_key(spec: CellSpec) -> str:
    """Names the machine that `spec` is to run on; raises NeedsAttentionError for a spec that was not equipped."""
    token = parse(spec.boot.token.get_secret_value(), kind=TokenKind.BOOT) if spec.boot is not None else None
    if token is None:
        raise NeedsAttentionError(
            f"No boot was prepared for {spec.slug}.", code="boot_missing", remedy="This is a defect: report it."
        )
    return token.key


def _look(slug: str, machine: MachineState) -> CellLook:
    silent = is_silent(machine)
    observed = Observed.UNKNOWN if silent else _MEANING.get(machine.phase, Observed.UNKNOWN)
    return CellLook(
        observed=observed,
        reason=silence(slug, machine).message if silent else machine.reason,
        where=server_name(slug),
        restarts=machine.restarts,
        memory_bytes=machine.memory_bytes,
        started_at=machine.started_at,
    )
