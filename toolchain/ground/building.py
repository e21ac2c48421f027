"""Makes a versioned folder in the cache so that nobody ever sees half of one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from clawstack.locks import locked

_LOCK_SECONDS: Final = 3600.0
"""The longest build takes a quarter of an hour on two processors."""


def place(folder: Path, fill: Callable[[Path], None], *, waiting: Callable[[], None]) -> bool:
    """Lets `fill` fill a temporary folder beside `folder`, then renames it to `folder` in one step.

    False where another process placed it first. Two set-ups take turns (`waiting` is called before a wait); what a
    killed one left is cleared away. `fill` also verifies: what it raises leaves nothing behind.
    """
    with _turn(folder, waiting):
        if folder.is_dir():
            return False
        scratch = folder.with_name(f".{folder.name}.unfinished")
        _remove(scratch)
        scratch.mkdir()
        try:
            fill(scratch)
            open_to_readers(scratch)
            scratch.rename(folder)
        finally:
            _remove(scratch)
    return True


@contextmanager
def _turn(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = folder.parent / ".locks" / "set-up.lock"
            stack.enter_context(locked(lock, seconds=_LOCK_SECONDS, what=str(folder), waiting=waiting))
        except OSError as error:
            raise NeedsAttentionError(
                f"The set-up cannot write to {folder.parent}: {error.strerror}.",
                remedy="Set CLAWSTACK_CACHE_DIR to a folder that you may write.",
            ) from error
        yield


def open_to_readers(folder: Path) -> None:
    """Everybody may read and run what is in the tree, only its owner may change it."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _set_mode(Path(root, name))
    _set_mode(folder)


def _set_mode(path: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return
    run = 0o111 if stat.S_ISDIR(mode) or mode & 0o111 else 0
    wanted = (stat.S_IMODE(mode) & 0o700) | 0o444 | run
    if stat.S_IMODE(mode) != wanted:
        path.chmod(wanted)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
