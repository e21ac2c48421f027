"""Trying a cell in another place when Hetzner has no room: which, and what becomes of a volume that holds nothing yet."""

from __future__ import annotations

from typing import Final

from clawstack.errors import TemporaryError
from clawstack.hetzner_refusals import NO_ROOM, NO_VOLUMES
from services.cells.machines.channel import MachineChannel
from services.cells.substrates.base.protocol import Tell
from services.cells.substrates.server.hetzner import Project
from tenants.server.settings import ServerSettings
from tenants.server.sites import first_site, next_site, site_of
from tenants.spec import CellSpec

_AT_ONCE: Final = 1.0


class Moving:
    """Of cells within one Hetzner project, before they have anything to lose."""

    def __init__(self, settings: ServerSettings, channel: MachineChannel, project: Project) -> None:
        self._settings = settings
        self._channel = channel
        self._project = project

    async def after(self, spec: CellSpec, error: TemporaryError) -> TemporaryError:
        """`error` where it is not about room or every place was tried; then the next round begins with the first again."""
        if error.code not in NO_ROOM or spec.boot is None:
            return error
        full, pinned = site_of(spec, self._settings), not await self._is_blank(spec)
        found = next_site(spec.plan, self._settings, at=full, pinned=pinned, no_volumes=error.code == NO_VOLUMES)
        again = first_site(spec.plan, self._settings, location=full.location if pinned else None)
        chosen = found or again
        other = chosen.server_type if chosen.server_type != again.server_type else None
        await self._channel.note_site(spec.slug, location=chosen.location, server_type=other)
        if found is None:
            return error
        return TemporaryError(
            f"Hetzner has no room for {spec.slug} as {full} now; the next try is {found}.",
            code=error.code,
            retry_after=_AT_ONCE,
            remedy="Nothing to do; `other_locations` and `other_server_types` of CLAWSTACK_SERVERS say what is tried.",
        )

    async def make_way(self, spec: CellSpec, *, tell: Tell) -> None:
        """Let a volume that holds nothing be deleted where it is, if the machine is to be somewhere else."""
        if spec.boot is None or not spec.boot.is_first or not await self._is_blank(spec):
            return
        location = site_of(spec, self._settings).location
        if await self._project.give_up_volumes(spec.slug, outside=location):
            tell(f"The empty volume is made anew in {location}, where there may be room for its server.")

    async def _is_blank(self, spec: CellSpec) -> bool:
        """Whether nobody can ever have written on the cell's volume.

        Rows can be older than the volume, after the platform's own database was restored. So they alone are not believed:
        a volume from before the first machine that they know of is kept.
        """
        history = await self._channel.history(spec.slug)
        if history.used or history.first_at is None:
            return False
        return await self._project.volumes_since(spec.slug, history.first_at)
