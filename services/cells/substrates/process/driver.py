"""Cells as processes of this machine. Their provider plugin stops, waits and backs up inside the engine's run."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import threading
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from typing_extensions import override

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from clawstack.vocabulary import Observed
from services.cells.substrates.base.protocol import CellLook, Orphan, SubstrateDriver, Tell
from tenants.backups.archive import Archive
from tenants.backups.filling import back_up, fill
from tenants.paths import CellPaths
from tenants.process import accounts, supervision, wall
from tenants.process.supervision import GatewayState, GatewayStatus
from tenants.spec import CellSpec

log = get_logger(__name__)

#: The most that is read from the end of a log at once.
_WINDOW_BYTES: Final = 512 * 1024
_LONGEST_LINE: Final = 4000
_FOLLOW_SECONDS: Final = 0.5
_WALLS_SECONDS: Final = 5.0
"""How long a look at the walls of all cells is worth something."""
_MEANING: Final = {
    GatewayState.RUNNING: Observed.RUNNING,
    GatewayState.STARTING: Observed.UNKNOWN,
    GatewayState.STOPPED: Observed.SUSPENDED,
    GatewayState.NEEDS_ATTENTION: Observed.BROKEN,
    GatewayState.DOWN: Observed.BROKEN,
}


class ProcessDriver(SubstrateDriver):
    """The supervisor restarts what crashes; what it cannot mend shows in `look`."""

    def __init__(self, *, data_dir: Path) -> None:
        """`data_dir`: the platform's; all its process cells live below."""
        self._supervisor = data_dir / "supervisor"
        self._cells = data_dir / "cells"
        self._walls = threading.Lock()
        self._walls_seen = -math.inf

    @override
    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        """Nothing: the gateway's resource lets turns end before it stops."""

    @override
    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        """Nothing: the gateway's resource waits for `/startupz` and says why it does not come."""

    @override
    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        """Nothing: deleting the state directory takes the verified backup."""

    @override
    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        """Nothing: deleting the resources ends when processes and files are gone."""

    @override
    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        """OpenClaw copies its databases online; a cell that never ran has nothing to back up."""
        made = await asyncio.to_thread(back_up, spec)
        tell("A verified backup was made." if made else "The assistant never ran: there is nothing to back up.")

    @override
    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        """Unpack the archive into the cell's folders, checked by OpenClaw; a state that was used is left alone."""
        if await asyncio.to_thread(fill, spec, archive):
            tell("The assistant's memory was restored.")

    @override
    async def look(self, slug: str, *, port: int) -> CellLook:
        """What the gateway does right now; `port` is known to the supervisor itself. Walls that are gone are laid again."""
        del port
        if trouble := await asyncio.to_thread(self._trouble_with_walls):
            return CellLook(observed=Observed.BROKEN, reason=trouble, where=platform.node())
        status = await asyncio.to_thread(supervision.status, self._supervisor, slug)
        return await asyncio.to_thread(_look, status)

    @override
    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        """None: what drifts in a process cell is found by the provider's Read."""
        del slug
        return {}

    @override
    async def logs(self, slug: str, *, lines: int) -> list[str]:
        """The end of the gateway's log file."""
        return await asyncio.to_thread(tail, self._log(slug), lines=lines)

    @override
    async def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        """The end of the log file and what is added to it, across rotations."""
        log = self._log(slug)
        for line in await asyncio.to_thread(tail, log, lines=lines):
            yield line
        place = await asyncio.to_thread(_Place.at_end, log)
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            for line in await asyncio.to_thread(place.news):
                yield line

    @override
    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        """Gateways and accounts that belong to none of the slugs in `known`."""
        left = await asyncio.to_thread(self.accounts_left, known)
        found = await asyncio.to_thread(supervision.orphans, self._supervisor, known, accounts=left)
        running = {orphan.slug for orphan in found}
        idle = [Orphan(slug=slug, what=f"the account with number {left[slug]}") for slug in left if slug not in running]
        return [
            Orphan(slug=orphan.slug, what=f"processes {', '.join(str(pid) for pid in orphan.pids)}") for orphan in found
        ] + idle

    def accounts_left(self, known: frozenset[str]) -> dict[str, int]:
        """Accounts of this platform's cells that belong to none of the slugs in `known`. Blocks."""
        return {slug: uid for slug, uid in accounts.below(self._cells).items() if slug not in known}

    def mend_walls(self) -> list[str]:
        """Wall in whoever is not; who that was. Blocks; raises TemporaryError."""
        mended = wall.mend(self._cells, self._supervisor)
        if mended:
            log.error("network_walls_were_gone", cells=mended)
        return mended

    def _trouble_with_walls(self) -> str | None:
        """One look at the kernel's rules serves all cells of a sweep."""
        with self._walls:
            if time.monotonic() - self._walls_seen < _WALLS_SECONDS:
                return None
            try:
                self.mend_walls()
            except TemporaryError as error:
                return error.message
            self._walls_seen = time.monotonic()
            return None

    @override
    async def aclose(self) -> None:
        """Nothing is kept open."""

    def _log(self, slug: str) -> Path:
        return CellPaths(root=self._cells / slug).log


class _Place:
    """How far a log file was read."""

    def __init__(self, path: Path, *, inode: int, offset: int) -> None:
        self._path, self._inode, self._offset = path, inode, offset
        self._rest = b""

    @classmethod
    def at_end(cls, path: Path) -> _Place:
        try:
            status = path.lstat()
        except OSError:
            return cls(path, inode=0, offset=0)
        return cls(path, inode=status.st_ino, offset=status.st_size)

    def news(self) -> list[str]:
        """Whole lines since the last call."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return []
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._offset, self._rest = status.st_ino, 0, b""  # rotated
            file.seek(self._offset)
            new = file.read(_WINDOW_BYTES)
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        return [line.decode(errors="replace")[:_LONGEST_LINE] for line in lines]


def tail(path: Path, *, lines: int) -> list[str]:
    """The last `lines` lines, oldest first; none when there is no log. Blocks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _WINDOW_BYTES)
        file.seek(start)
        text = file.read(_WINDOW_BYTES).decode(errors="replace")
    found = text.splitlines()
    if start > 0:
        found = found[1:]  # the first one is cut
    return [line[:_LONGEST_LINE] for line in found[-lines:]]


def _look(status: GatewayStatus) -> CellLook:
    memory, started = _usage(status.pid)
    return CellLook(
        observed=_MEANING[status.state],
        reason=_reason(status),
        where=platform.node(),
        restarts=max(0, status.starts - 1),
        memory_bytes=memory,
        started_at=started,
        disk=status.disk,
    )


def _usage(pid: int | None) -> tuple[int | None, datetime | None]:
    if not pid:
        return None, None
    try:
        process = psutil.Process(pid)
        return process.memory_info().rss, datetime.fromtimestamp(process.create_time(), UTC)
    except psutil.Error:
        return None, None


def _reason(status: GatewayStatus) -> str | None:
    match status.state:
        case GatewayState.RUNNING:
            return None
        case GatewayState.STARTING:
            after = f" after: {status.last_exit}" if status.last_exit else ""
            return f"The gateway is starting (start {status.starts}){after}."
        case GatewayState.STOPPED:
            return f"The gateway is stopped{f': {status.last_exit}' if status.last_exit else ''}."
        case GatewayState.NEEDS_ATTENTION:
            return f"The gateway refuses to start: {status.last_exit or 'no reason was given'}."
        case GatewayState.DOWN:
            return f"The gateway is down: {status.last_exit or 'the supervisor of the gateways is not running'}."
