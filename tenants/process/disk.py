"""What a process cell takes of the disk: all of its files together, not each alone, and never the database's share.

Project quotas would stop a write at the limit, but they need a file system made and mounted for them, which this platform
cannot ask for. So it is measured: the launcher, which watches memory already, counts bytes and inodes of the state
(`clawstack.untrusted_tree.measure`, bounded by the limits themselves), and files without a name that a process of the cell
keeps open or mapped, and ends a gateway that passed either. It does not
start again until there is more room or less in it; nothing is deleted. Between two counts a cell may write more than
it has; what may never happen meanwhile is that it takes the last of the file system, so free space is asked for at every
look, and below the reserve no gateway runs.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from clawstack.untrusted_tree import measure
from tenants.disk_use import DiskUse
from tenants.paths import CellPaths
from tenants.process.launch import Limits
from tenants.process.trees import TreeOwner, processes_of

_MB: Final = 1024 * 1024
_ENTRIES_PER_MB: Final = 64
"""Inodes: one for each 16 KiB, as many as ext4 makes for that much space."""
_BACKUP_TIMES: Final = 2
"""A backup takes as much as the state at most, and copies of its databases while it is made."""
_SECONDS: Final = 60.0
_RESTS: Final = 100
"""After a count, this many times what it took passes before the next: at most a hundredth of a processor."""
_FALL: Final = 0.1
"""When free space fell by this share of the cell's limit, it is counted at once, whoever wrote."""
_RESERVE_SHARE: Final = 0.05
_MOST_RESERVE: Final = 2 * 1024 * _MB
"""PostgreSQL's write-ahead log grows to 1 GiB between checkpoints (max_wal_size), and backups are sealed beside it."""
_ROOM_AGAIN: Final = 1.5
"""Times the reserve must be free before gateways start again: no gateway is started into the next stop."""


def used(paths: CellPaths, limits: Limits, living: TreeOwner | None = None) -> DiskUse:
    """Count what is in the state directory and in the cell's own `/tmp`; ends early once a limit is passed.

    `living`: whose processes may hold deleted files open; None while none of them lives.
    """
    most = max(1, limits.disk_mb) * _ENTRIES_PER_MB
    sizes = [
        measure(place, most_bytes=limits.disk_mb * _MB, most_entries=most) for place in (paths.state, paths.temporary)
    ]
    held = _beside(paths, limits)
    held += _nameless(living, paths.root, most=limits.disk_mb * _MB) if living else 0
    whole = -(
        -(held + sum(size.bytes for size in sizes)) // _MB
    )  # up: a byte more than the limit is more than the limit
    entries = sum(size.entries for size in sizes)
    return DiskUse(used_mb=whole, limit_mb=max(1, limits.disk_mb), entries=entries, most_entries=most)


def _beside(paths: CellPaths, limits: Limits) -> int:
    """Bytes in folders for a backup beyond what one can take: they are the account's, who may write there meanwhile."""
    fair, most = limits.disk_mb * _MB * _BACKUP_TIMES, max(1, limits.disk_mb) * _ENTRIES_PER_MB
    taken = [
        measure(place, most_bytes=fair + limits.disk_mb * _MB, most_entries=most).bytes
        for place in paths.root.glob("backup-*")
    ]
    return max(0, sum(taken) - fair)


def _nameless(owner: TreeOwner, folder: Path, *, most: int) -> int:
    """Bytes of files on the folder's file system that have no name any more, but are open or mapped by a process."""
    device, found = folder.stat().st_dev, dict[int, int]()
    for process in processes_of(owner):
        for place in ("fd", "map_files"):
            with suppress(OSError), os.scandir(f"/proc/{process.pid}/{place}") as entries:
                for entry in entries:
                    with suppress(OSError):  # closed meanwhile
                        status = entry.stat()
                        if status.st_nlink == 0 and status.st_dev == device and stat.S_ISREG(status.st_mode):
                            found[status.st_ino] = status.st_blocks * 512
            if sum(found.values()) > most:
                return sum(found.values())
    return sum(found.values())


def lacks_room(folder: Path, *, again: bool = False) -> str | None:
    """Why no gateway may run on this file system now, None while there is room; `again`: after it lacked."""
    free, reserve = free_and_reserve(folder)
    if free >= reserve * (_ROOM_AGAIN if again else 1.0):
        return None
    return f"the platform's disk has {free // _MB} MiB left, of which {reserve // _MB} MiB are the database's"


def free_and_reserve(folder: Path) -> tuple[int, int]:
    """Bytes that anybody may still take of the folder's file system, and how many of them no cell may.

    Both are 0 where the folder is gone: what is erased in this moment lacks no room.
    """
    try:
        status = os.statvfs(folder)
    except FileNotFoundError:
        return 0, 0
    total = status.f_blocks * status.f_frsize
    return status.f_bavail * status.f_frsize, min(_MOST_RESERVE, int(total * _RESERVE_SHARE))


class DiskWatch:
    """Counts when it is time to; asked at every look at the gateway."""

    def __init__(self, paths: CellPaths, limits: Limits, living: TreeOwner | None = None) -> None:
        """Counts nothing yet. `living`: whose processes run."""
        self._paths, self._limits, self._living = paths, limits, living
        self._due = 0.0
        self._free = 0

    def look(self) -> DiskUse | None:
        """A new count, None while none is due."""
        free, _ = free_and_reserve(self._paths.root)
        fell = self._free - free > self._limits.disk_mb * _MB * _FALL
        began = time.monotonic()
        if began < self._due and not fell:
            return None
        found = used(self._paths, self._limits, self._living)
        took = time.monotonic() - began
        self._free, self._due = free, began + max(_SECONDS, took * _RESTS)
        return found
