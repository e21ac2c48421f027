"""One process at a time: locks that the kernel releases when their holder dies, waited for with a limit.

Anybody who can open a lock's file can hold it for ever, also one who may only read. So the file lies in a folder that is
closed to others, and a folder that somebody else made first is refused.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.untrusted_tree import FOLDER

_POLL_SECONDS: Final = 0.05
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_LONGEST_NOTE: Final = 200


@contextmanager
def locked(path: Path, *, seconds: float, what: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock on `path`; `waiting` is called once before a wait.

    Its folder is made and kept with mode 0700: name none in which others have something to look for.

    Raises TemporaryError, naming `what` and the holder, when another keeps it for `seconds`; NeedsAttentionError when
    the folder is somebody else's; OSError when it cannot be made.
    """
    descriptor = _opened(path)
    try:
        _acquire(descriptor, path, seconds, what, waiting)
        _note_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        folder = os.open(path.parent, FOLDER)
    except NotADirectoryError:
        raise _not_ours(path.parent, "a link") from None
    try:
        _close_to_others(path.parent, folder)
        return os.open(
            path.name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder
        )
    finally:
        os.close(folder)


def _close_to_others(path: Path, folder: int) -> None:
    status, above = os.fstat(folder), os.stat("..", dir_fd=folder)
    trusted = {os.geteuid(), 0}
    if not above.st_mode & _OTHERS_WRITE:
        trusted.add(above.st_uid)  # who owns the folder above decides about this one anyway
    if status.st_uid not in trusted:
        raise _not_ours(path, f"account {status.st_uid}'s")
    if status.st_mode & _OTHERS:
        os.fchmod(folder, 0o700)


def _not_ours(folder: Path, whose: str) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"The folder of locks {folder} is {whose}: whoever made it could hold every lock in it for ever.",
        code="lock_folder_taken",
        remedy=f"Find out who made it, then remove it: rm -r {folder}",
    )


def _acquire(descriptor: int, path: Path, seconds: float, what: str, waiting: Callable[[], None] | None) -> None:
    deadline = time.monotonic() + seconds
    while not _taken(descriptor):
        if waiting is not None:
            waiting()
            waiting = None
        if time.monotonic() >= deadline:
            raise TemporaryError(
                f"{what} is being changed by another process{_holder(descriptor)}.",
                retry_after=10.0,
                code="locked",
                remedy=f"Try again when it has ended, or end it if it hangs (fuser -v {path} shows it).",
            )
        time.sleep(_POLL_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note_holder(descriptor: int) -> None:
    """Only words for whoever waits: a full disk must not keep a lock from being taken."""
    name = Path(sys.argv[0]).name or Path(sys.executable).name
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"PID {os.getpid()}, {name}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(), 0)


def _holder(descriptor: int) -> str:
    note = os.pread(descriptor, _LONGEST_NOTE, 0).decode(errors="replace")
    return f" ({note})" if note.isprintable() and note else ""
