"""Folders that a stranger filled: deleting them, handing them over, counting what is in them.

Whoever filled such a tree may nest it a hundred thousand deep, use names that are no text, put links, pipes and devices
into it, and go on changing it while it is walked. So nothing here recurses, no path below the top is ever put together
(PATH_MAX), no link is followed, nothing but folders is opened, and at most three descriptors are open at once. A folder
that is swapped for a link in the middle of a walk leads nowhere: every step is taken from a descriptor of the folder
before it, and the way back up must end in the folder that the walk came from.

The folder that holds the top must be the platform's own.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError, TemporaryError

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Opens a folder and nothing else: no link, no pipe that would block."""
PIN: Final = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC  # Linux; elsewhere cells have no accounts
"""Holds on to whatever has a name, without opening it."""
_REFILLED: Final = 1000
"""So often may a folder be filled again behind our back before deleting gives up."""
_WALKS: Final = 3
_PAUSE_SECONDS: Final = 0.1
"""What was killed a moment ago may still write its last file."""
_REMEMBERED_LINKS: Final = 100_000
"""Files with several names are counted once, up to so many of them: memory is bounded, and the count errs upwards."""


class TreeChangedError(TemporaryError):
    """Folders were moved while they were walked; the same walk may succeed later."""

    code = "tree_changed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. `folder` and `trail` hold until the walk is asked for the next one."""

    folder: int
    """Descriptor of the folder that it lies in."""
    name: str
    """As the file system has it; what is no UTF-8 is escaped by surrogates."""
    status: os.stat_result
    """Of itself, never of what it points to."""
    trail: list[str]
    """Names from the top down to `folder`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What a tree takes."""

    bytes: int
    """Allocated on the disk: a file with holes takes only what it fills."""
    entries: int
    """Inodes: files, folders, links, pipes."""


@dataclass(slots=True)
class _Level:
    name: str
    identity: tuple[int, int]
    pending: bytearray = field(default_factory=bytearray)
    """Names of folders still to be entered, each ended by NUL: a million of them take megabytes, not hundreds."""


def walk(top: Path | int) -> Iterator[Entry]:
    """Everything below `top` (a folder, or the descriptor of one), each folder before what is in it.

    Other file systems mounted below are not entered; what vanishes on the way is passed over. Raises TreeChangedError when
    the way back up is not the way down, OSError when `top` is no folder.
    """
    descriptor = os.open(".", FOLDER, dir_fd=top) if isinstance(top, int) else os.open(top, FOLDER)
    try:
        levels = [_level("", descriptor)]
        trail: list[str] = []
        yield from _entries(descriptor, levels[-1], trail)
        while levels:
            if (name := _next(levels[-1].pending)) is None:
                levels.pop()
                if levels:
                    trail.pop()
                    descriptor = _replace(descriptor, _above(descriptor, levels[-1]))
            elif (inner := _folder(descriptor, name)) is not None:
                descriptor = _replace(descriptor, inner)
                levels.append(_level(name, descriptor))
                trail.append(name)
                yield from _entries(descriptor, levels[-1], trail)
    finally:
        os.close(descriptor)


def remove(top: Path) -> None:
    """`top` is gone, whatever it is and holds; can be killed and repeated at any point. A link is removed, not followed.

    Raises TemporaryError while somebody keeps filling it, NeedsAttentionError when something is mounted in it.
    """
    try:
        holder = os.open(top.parent, FOLDER & ~os.O_NOFOLLOW)  # the platform's own, wherever it was put
    except FileNotFoundError:
        return
    try:
        for _ in range(_WALKS):
            if _vanishes(holder, top.name, is_folder=_is_folder(holder, top.name)):
                return
            _empty(holder, top.name)
            if _vanishes(holder, top.name, is_folder=True):
                return
            time.sleep(_PAUSE_SECONDS)
        raise TemporaryError(f"{top} is filled while it is deleted.", code="tree_changed")
    except OSError as error:
        raise _undeletable(top, error) from error
    finally:
        os.close(holder)


def hand_over(top: Path, *, uid: int, gid: int, owner: int | None = None) -> None:
    """Everything below `top` that belongs to `owner` belongs to `uid` and `gid`; `top` itself is the caller's.

    `owner` None: whoever; then files with several names are left alone, for one of them may lie outside, where its
    owner keeps it. Raises TreeChangedError when folders are moved all the time.
    """
    for attempt in range(_WALKS):
        try:
            for entry in walk(top):
                _give(entry, uid, gid, owner)
        except TreeChangedError:
            if attempt == _WALKS - 1:
                raise
        else:
            return


def measure(top: Path, *, most_bytes: int, most_entries: int) -> Size:
    """What is below `top`; counting ends once either limit is passed, so it is bounded whatever was put there.

    A tree that changes meanwhile is counted as far as the walk came.
    """
    taken, entries, linked = 0, 0, set[int]()
    with suppress(TreeChangedError, FileNotFoundError, NotADirectoryError):
        for entry in walk(top):
            entries += 1
            if entry.status.st_ino not in linked:
                taken += entry.status.st_blocks * 512  # the unit of st_blocks, whatever the file system's own is
            if entry.status.st_nlink > 1 and len(linked) < _REMEMBERED_LINKS:
                linked.add(entry.status.st_ino)
            if taken > most_bytes or entries > most_entries:
                break
    return Size(bytes=taken, entries=entries)


def open_below(top: Path, trail: list[str]) -> int:
    """A descriptor of the folder `top/trail...`, gone to step by step. Raises OSError when a step is no folder."""
    descriptor = os.open(top, FOLDER)
    try:
        for name in trail:
            descriptor = _replace(descriptor, os.open(name, FOLDER, dir_fd=descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new


def _level(name: str, descriptor: int) -> _Level:
    return _Level(name, _identity(os.fstat(descriptor)))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _entries(descriptor: int, level: _Level, trail: list[str]) -> Iterator[Entry]:
    with os.scandir(descriptor) as found:
        for item in found:
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode) and status.st_dev == level.identity[0]:
                level.pending += os.fsencode(item.name) + b"\0"
            yield Entry(descriptor, item.name, status, trail)


def _next(pending: bytearray) -> str | None:
    if not pending:
        return None
    start = pending.rfind(b"\0", 0, len(pending) - 1) + 1
    name = os.fsdecode(bytes(pending[start:-1]))
    del pending[start:]
    return name


def _folder(holder: int, name: str) -> int | None:
    """A descriptor of the folder, None where it is none (any more) or may not be read."""
    try:
        return os.open(name, FOLDER, dir_fd=holder)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES}:
            return None
        raise


def _above(descriptor: int, level: _Level) -> int:
    above = os.open("..", FOLDER, dir_fd=descriptor)
    if _identity(os.fstat(above)) == level.identity:
        return above
    os.close(above)
    raise TreeChangedError("Folders were moved while they were walked.", retry_after=10.0)


def _give(entry: Entry, uid: int, gid: int, owner: int | None) -> None:
    """Pinned by a descriptor first: what is looked at is what is handed over, also when the name changes hands."""
    try:
        pin = os.open(entry.name, PIN, dir_fd=entry.folder)
    except FileNotFoundError:
        return
    try:
        status = os.fstat(pin)
        if _may_be_given(status, owner) and (status.st_uid, status.st_gid) != (uid, gid):
            os.chown(f"/proc/self/fd/{pin}", uid, gid)
    finally:
        os.close(pin)


def _may_be_given(status: os.stat_result, owner: int | None) -> bool:
    if owner is None:
        return stat.S_ISDIR(status.st_mode) or status.st_nlink == 1
    return status.st_uid == owner


def _is_folder(holder: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _vanishes(holder: int, name: str, *, is_folder: bool) -> bool:
    """Remove a file or an empty folder; False for a folder that holds something, or one that changed its kind."""
    try:
        (os.rmdir if is_folder else os.unlink)(name, dir_fd=holder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}:
            return False
        if is_folder and error.errno == errno.EACCES:
            return False  # not root, and the folder is closed even to its owner: it is opened up below
        raise
    return True


def _empty(holder: int, name: str) -> None:
    """Flatten and empty the folder: what is deep is moved to its top, so that depth costs neither stack nor path."""
    top = _opened_up(holder, name)
    if top is None:
        return
    mark = secrets.token_hex(4)
    fresh = (f".removing-{mark}-{number}" for number in count())
    try:
        refilled, found = 0, True
        while found:
            found = False
            for inner, is_folder in _names(top):
                if _vanishes(top, inner, is_folder=is_folder):
                    continue
                found = True
                _lift(top, inner, fresh)
                refilled += not _vanishes(top, inner, is_folder=True)
                if refilled > _REFILLED:
                    return
    finally:
        os.close(top)


def _lift(top: int, name: str, fresh: Iterator[str]) -> None:
    """Empty the folder `name` in `top`: its files are deleted, its folders become folders of `top`."""
    folder = _opened_up(top, name)
    if folder is None:
        return
    try:
        for inner, is_folder in _names(folder):
            if _vanishes(folder, inner, is_folder=is_folder):
                continue
            _open_up(folder, inner)  # a folder that is moved is written into: its ".." changes
            with suppress(FileNotFoundError):
                os.rename(inner, next(fresh), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)


def _names(folder: int) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder) as found:
        for item in found:
            yield item.name, item.is_dir(follow_symlinks=False)


def _opened_up(holder: int, name: str) -> int | None:
    """A descriptor of the folder, which its owner may change from now on; None where it is no folder any more."""
    _open_up(holder, name)
    return _folder(holder, name)


def _open_up(holder: int, name: str) -> None:
    if os.geteuid() == 0:  # may do anything anyway
        return
    with suppress(OSError):
        pin = os.open(name, PIN | os.O_DIRECTORY, dir_fd=holder)
        try:
            Path(f"/proc/self/fd/{pin}").chmod(0o700)
        finally:
            os.close(pin)


def _undeletable(top: Path, error: OSError) -> NeedsAttentionError:
    if error.errno in {errno.EBUSY, errno.EXDEV}:
        return NeedsAttentionError(
            f"{top} cannot be deleted: something is mounted below it.",
            code="tree_undeletable",
            remedy="Unmount it (findmnt shows what is mounted where); deleting then goes on by itself.",
        )
    return NeedsAttentionError(
        f"{top} cannot be deleted: {error.strerror}.",
        code="tree_undeletable",
        remedy="Remove what holds it (lsattr shows files made immutable); deleting then goes on by itself.",
    )
