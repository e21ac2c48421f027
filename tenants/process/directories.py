"""The folders of a cell: made with the right owner, written into safely, erased completely.

The state directory belongs to the cell's account, so everything in it is hostile ground for a process that runs as
root: it is entered folder by folder without following links (`clawstack.untrusted_tree`).
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from clawstack import untrusted_tree
from clawstack.errors import ConflictError, NeedsAttentionError
from clawstack.untrusted_tree import FOLDER
from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tenants.process.files import read_json, write_json

_MARKER: Final = "cell.json"
OWN_FOLDERS: Final = ("tmp", "logs", "workspace")
ASIDE: Final = ".replaced-"
"""In the name of what was put aside."""
_OTHERS_MAY_ENTER: Final = 0o001


def ensure(paths: CellPaths, slug: str, ids: Ids | None) -> None:
    """All folders of the cell exist with the right owner and mode; adopts what an earlier, killed attempt made.

    Raises ConflictError when the folder belongs to another cell, NeedsAttentionError when the cell's account cannot
    reach it.
    """
    untrusted_tree.remove(paths.erasing)
    paths.root.mkdir(parents=True, exist_ok=True, mode=0o711)
    owner = read_json(paths.root / _MARKER).get("slug", slug)
    if owner != slug:
        raise ConflictError(f"{paths.root} belongs to cell {owner}.", code="directory_taken")
    write_json(paths.root / _MARKER, {"slug": slug})
    paths.root.chmod(0o711)
    _folder(paths.logs, 0o700)
    _folder(paths.config_folder, 0o750, gid=ids.gid if ids else None)
    _folder(paths.state, 0o700, uid=ids.uid if ids else None, gid=ids.gid if ids else None)
    with _beneath(paths.state, ()) as state:
        own_folders(state, ids)
    if ids is not None:
        _require_reachable(paths.state)


def own_folders(state: int, ids: Ids | None) -> None:
    """The platform's folders in the state (its descriptor) are there, and are folders."""
    for name in OWN_FOLDERS:
        os.close(enter(state, name, ids))


def exists(paths: CellPaths) -> bool:
    """Whether the state directory is there."""
    return paths.state.is_dir()


def was_used(paths: CellPaths) -> bool:
    """Whether a gateway ever wrote into it: else there is nothing to back up."""
    return any(os.path.lexists(paths.state / name) for name in ("state", "agents", "openclaw.json"))


def hand_over(paths: CellPaths, ids: Ids, *, before: Ids | None) -> None:
    """What `before` had in the state directory belongs to `ids` (the account was made anew).

    Only that: a cell may have given a file of somebody else's a second name in there.
    """
    owner = before.uid if before else None
    untrusted_tree.hand_over(paths.state, uid=ids.uid, gid=ids.gid, owner=owner)


def erase(paths: CellPaths) -> None:
    """Nothing of the cell is left; can be killed and repeated at any point."""
    if paths.root.exists():
        untrusted_tree.remove(paths.erasing)
        paths.root.rename(paths.erasing)
    untrusted_tree.remove(paths.erasing)


def write_workspace(paths: CellPaths, files: Mapping[str, str], ids: Ids | None) -> None:
    """Write persona files into the workspace, each by rename, never through a link of the cell's making."""
    with _beneath(paths.state, ("workspace",), ids) as folder:
        for name, text in files.items():
            _write_at(folder, name, text, ids)


def _write_at(folder: int, name: str, text: str, ids: Ids | None) -> None:
    draft = f".{name}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if ids is not None:
                os.fchown(file.fileno(), ids.uid, ids.gid)
            os.fsync(file.fileno())
        put_aside(folder, name, unless=stat.S_ISREG)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(draft, dir_fd=folder)
        raise


@contextmanager
def _beneath(start: Path, names: tuple[str, ...], ids: Ids | None = None) -> Iterator[int]:
    """A descriptor of the folder `start/names...`, made where absent; refuses links on the way."""
    descriptor = os.open(start, FOLDER)
    try:
        for name in names:
            inner = enter(descriptor, name, ids)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def enter(folder: int, name: str, ids: Ids | None) -> int:
    """A descriptor of the cell's folder `name`, made where absent; what else has its name is put aside."""
    put_aside(folder, name, unless=stat.S_ISDIR)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder)
    descriptor = os.open(name, FOLDER, dir_fd=folder)
    if ids is not None and os.fstat(descriptor).st_uid == os.geteuid():  # just made, by us or by a killed attempt
        os.fchown(descriptor, ids.uid, ids.gid)
    return descriptor


def put_aside(folder: int, name: str, *, unless: Callable[[int], bool] = lambda _: False) -> None:
    """What the cell put in the place of ours, a link or a pipe, is kept under another name: it may be the customer's."""
    with suppress(FileNotFoundError):
        if not unless(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.rename(name, f"{name}{ASIDE}{secrets.token_hex(4)}", src_dir_fd=folder, dst_dir_fd=folder)


def _folder(path: Path, mode: int, *, uid: int | None = None, gid: int | None = None) -> None:
    path.mkdir(exist_ok=True, mode=0o700)
    descriptor = os.open(path, FOLDER)
    try:
        os.fchown(descriptor, -1 if uid is None else uid, -1 if gid is None else gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _require_reachable(path: Path) -> None:
    for parent in path.parents:
        if not parent.stat().st_mode & _OTHERS_MAY_ENTER:
            raise NeedsAttentionError(
                f"The cell's account cannot reach {path}: {parent} is closed to others.",
                code="directory_unreachable",
                remedy=f"Move the data directory (for example below /var/lib), or: chmod o+x {parent}",
            )
