"""Makes a state one that OpenClaw can back up, whatever the cell put into it: without it, no cell would ever be destroyed.

OpenClaw's `backup create` (2026.9.6, measured) never ends with a thousand nested folders, gives up at a path that is too
long, at a folder or file that its own account closed, at a link or pipe where it keeps its databases; it packs all that a
link in place of the workspace leads to, and leaves out, saying nothing, what has a name that is no UTF-8.

Nothing is deleted and nothing outside is touched: what is in the way is moved or renamed within the state, by descriptor
(`clawstack.untrusted_tree`), for the cell may go on changing it. What cannot be mended is left: OpenClaw then says so.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from clawstack.untrusted_tree import FOLDER, PIN, Entry, TreeChangedError, walk
from tenants.paths import CellPaths
from tenants.process import directories
from tenants.process.accounts import Ids

DEEPEST: Final = 64
"""Levels. A backup takes OpenClaw 3 ms for each folder that lies so deep, 0.7 ms at the top; honest trees have some twenty."""
LONGEST: Final = 1500
"""Bytes of a folder's path below the state: PATH_MAX is 4096, and the archive and the staging of a restore add their own."""
LIFTED: Final = "deep-folders"
"""Here lies what was too deep, by number."""
_SECONDS: Final = 300.0
"""A cell that goes on nesting is not tidied for ever: OpenClaw's own time limit ends what is left."""
_PASSES: Final = DEEPEST + 6
"""A folder that was renamed is entered in the next pass, and each level may hold one; a few more for a tree that changes."""
FOLDERS: Final = frozenset({"agents", "credentials", "state"})
"""What OpenClaw archives as a whole, also where a link leads to; `directories` knows the platform's own."""
_DATABASE: Final = "openclaw.sqlite"
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""Refused where the database itself is missing."""
_ESCAPED: Final = range(0xDC00, 0xDD00)
"""Stand for single bytes that are no UTF-8 (PEP 383)."""
_LONGEST_NAME: Final = 200
"""Bytes that are kept of a name that gets longer: a file system allows 255."""


def tidy(paths: CellPaths, ids: Ids | None) -> None:
    """OpenClaw can read and pack the state of the cell; blocks for at most some minutes. Raises OSError without a state."""
    with _state(paths, ids) as state:
        work = _Tidying(state, ids)
        passes = 0
        while work.has_more() and passes < _PASSES:
            passes += 1
        directories.own_folders(state, ids)
        _drop_orphaned_sidecars(state)


@contextmanager
def _state(paths: CellPaths, ids: Ids | None) -> Iterator[int]:
    holder = os.open(paths.root, FOLDER & ~os.O_NOFOLLOW)  # the platform's own, wherever it was put
    try:
        status = os.stat(paths.state.name, dir_fd=holder, follow_symlinks=False)
        _allow(Entry(holder, paths.state.name, status, []), _owner(ids))
        state = os.open(paths.state.name, FOLDER, dir_fd=holder)
    finally:
        os.close(holder)
    try:
        yield state
    finally:
        os.close(state)


@dataclass(slots=True)
class _Tidying:
    state: int
    ids: Ids | None
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    ends: float = field(default_factory=lambda: time.monotonic() + _SECONDS)
    lifted: int = 0
    again: bool = False

    def has_more(self) -> bool:
        """One pass over everything; whether another is needed."""
        self.again, seen = False, self.lifted
        try:
            self._visit(self.state, depth=0, length=0)
            while seen < self.lifted:
                seen += 1
                self._visit_lifted(self._number(seen))
        except TreeChangedError:
            self.again = True
        return self.again and time.monotonic() < self.ends

    def _visit(self, top: int, *, depth: int, length: int) -> None:
        for entry in walk(top):
            if time.monotonic() >= self.ends:
                return
            with suppress(OSError):  # gone meanwhile, or a full disk: OpenClaw says what that leads to
                self._mend(entry, depth + len(entry.trail) + 1, length)

    def _visit_lifted(self, name: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            holder = directories.enter(self.state, LIFTED, self.ids)
            try:
                folder = os.open(name, FOLDER, dir_fd=holder)
            finally:
                os.close(holder)
            try:
                self._visit(folder, depth=2, length=len(LIFTED) + len(name) + 2)
            finally:
                os.close(folder)

    def _mend(self, entry: Entry, depth: int, length: int) -> None:
        _allow(entry, _owner(self.ids))
        is_folder = stat.S_ISDIR(entry.status.st_mode)
        if _is_in_the_way(entry):
            directories.put_aside(entry.folder, entry.name)
        elif is_folder and (depth > DEEPEST or length + _bytes(entry) > LONGEST):
            self._lift(entry)
        elif (name := readable(entry.name)) != entry.name:
            _rename(entry, name)
            self.again |= is_folder

    def _lift(self, entry: Entry) -> None:
        self.lifted += 1
        holder = directories.enter(self.state, LIFTED, self.ids)
        try:
            os.rename(entry.name, self._number(self.lifted), src_dir_fd=entry.folder, dst_dir_fd=holder)
        finally:
            os.close(holder)

    def _number(self, number: int) -> str:
        return f"{self.mark}-{number}"


def readable(name: str) -> str:
    """`name` as it is, or with each byte that is no UTF-8 as `%FF`."""
    return "".join(f"%{ord(sign) - _ESCAPED[0]:02X}" if ord(sign) in _ESCAPED else sign for sign in name)


def _rename(entry: Entry, name: str) -> None:
    cut = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    if cut != name or os.path.lexists(f"/proc/self/fd/{entry.folder}/{name}"):
        cut = f"{cut}-{secrets.token_hex(4)}"  # never over another file
    os.rename(entry.name, cut, src_dir_fd=entry.folder, dst_dir_fd=entry.folder)


def _owner(ids: Ids | None) -> int:
    return ids.uid if ids else os.geteuid()


def _bytes(entry: Entry) -> int:
    return sum(len(os.fsencode(name)) + 1 for name in (*entry.trail, entry.name))


def _allow(entry: Entry, owner: int) -> None:
    """The owner may read the file, and enter and change the folder, from now on."""
    wanted = {stat.S_IFDIR: 0o700, stat.S_IFREG: 0o400}.get(stat.S_IFMT(entry.status.st_mode), 0)
    if entry.status.st_mode & wanted == wanted:
        return
    pin = os.open(entry.name, PIN, dir_fd=entry.folder)
    try:
        now = os.fstat(pin)  # what is changed is what is looked at, also when the name changed hands
        if now.st_uid == owner and stat.S_IFMT(now.st_mode) == stat.S_IFMT(entry.status.st_mode):
            os.chmod(f"/proc/self/fd/{pin}", stat.S_IMODE(now.st_mode) | wanted)  # noqa: PTH101 - as in untrusted_tree
    finally:
        os.close(pin)


def _is_in_the_way(entry: Entry) -> bool:
    """Whether something else lies where OpenClaw has a folder or its database."""
    kind = entry.status.st_mode
    if directories.ASIDE in entry.name:
        return False
    match entry.trail:
        case []:
            return entry.name in FOLDERS and not stat.S_ISDIR(kind)
        case ["agents"] | ["agents", _] | ["logs"]:
            return not stat.S_ISDIR(kind) and not stat.S_ISREG(kind)
        case ["state"]:
            return ".sqlite" in entry.name and not stat.S_ISREG(kind)
        case _:
            return False


def _drop_orphaned_sidecars(state: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        folder = os.open("state", FOLDER, dir_fd=state)
        try:
            if not os.path.lexists(f"/proc/self/fd/{folder}/{_DATABASE}"):
                for ending in _BESIDE:
                    directories.put_aside(folder, _DATABASE + ending)
        finally:
            os.close(folder)
