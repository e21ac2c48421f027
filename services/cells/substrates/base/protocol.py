"""What every substrate's driver can do. Drivers know cells, not tenants: no rows, no decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from typing_extensions import override

from clawstack.errors import TemporaryError
from clawstack.vocabulary import Observed
from tenants.backups.archive import Archive
from tenants.disk_use import DiskUse
from tenants.spec import CellSpec

#: Takes one plain sentence of progress, shown to people.
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What was seen of a cell."""

    observed: Observed
    reason: str | None = None
    """Why it is broken or unknown."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of what the cell consists of, by name; empty where the substrate's own state tells drift."""
    disk: DiskUse | None = None
    """What its files take; None where the substrate counts none (a volume of its own ends at its size)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CellLook(Sighting):
    """A sighting with what operators want to know besides."""

    where: str = ""
    """Machine, node or server."""
    restarts: int | None = None
    memory_bytes: int | None = None
    """What the gateway uses, resident."""
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """Something on the substrate that belongs to no tenant."""

    slug: str
    what: str
    """In words: processes, a namespace, a server."""


class CellProbe(Protocol):
    """Looks at cells themselves, past Pulumi's state."""

    async def look(self, slug: str, *, port: int) -> Sighting:
        """What the cell does right now; never raises for a cell that is merely broken."""
        ...

    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        """What runs for none of the slugs in `known`."""
        ...


class SubstrateDriver(CellProbe, Protocol):
    """Everything here is bounded in time, may be cancelled at any await, and may be repeated after that."""

    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        """Before an update. A gateway that is to stop finishes its turns and is backed up, verified."""
        ...

    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        """After an update: return once the cell is what `spec.desired` says.

        Raises NeedsAttentionError when it never will be (image, configuration, quota), TemporaryError when it may yet;
        both say why.
        """
        ...

    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        """Before the end: the gateway is stopped after its turns, and a verified backup of its last state exists.

        `spec.skip_backup` waives the backup; a cell that never ran has nothing to back up.
        """
        ...

    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        """After the end: raises TemporaryError that names what is left of the cell."""
        ...

    async def elsewhere(self, spec: CellSpec, error: TemporaryError) -> TemporaryError:
        """What a build's failure means here: `error` itself, or one that says where the cell is tried next.

        Where that is, is remembered: the next build of the cell goes there.
        """
        del spec
        return error

    async def obstacle(self, slug: str) -> TemporaryError | None:
        """What keeps a cell from vanishing that was told to, where waiting a moment will not help; else None.

        For whoever was told only that a deletion took too long.
        """
        del slug
        return None

    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        """A verified backup of the cell as it is now, below `spec.directories.backups`; a gateway that runs goes on."""
        ...

    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        """Fill a cell that was built suspended with the state in `archive`; one that was filled or used is left alone."""
        ...

    @override
    async def look(self, slug: str, *, port: int) -> CellLook:
        """As `CellProbe.look`, with more to tell."""
        ...

    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        """As `Sighting.objects`, read now: kept after an operation, and compared with what is seen later."""
        ...

    async def logs(self, slug: str, *, lines: int) -> list[str]:
        """The gateway's last lines, oldest first; none where there is no log."""
        ...

    def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        """The last lines, then each new one, until the caller stops or the gateway is gone."""
        ...

    async def undo(self, slug: str, deployment: Mapping[str, Any]) -> list[str] | None:
        """Remove what a killed run made and Pulumi's `deployment` does not know; in words what was removed.

        None where that is not needed, as making the same thing again takes over what is there.
        """
        del slug, deployment
        return None

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
