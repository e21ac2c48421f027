"""Backups of a cell on demand, and new cells filled with one before their gateway ever starts."""

from __future__ import annotations

import os
import secrets
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from clawstack import untrusted_tree
from clawstack.locks import locked
from tenants.backups import archive
from tenants.paths import CellPaths, SupervisorPaths
from tenants.process import accounts, directories
from tenants.process.accounts import Ids
from tenants.spec import CellSpec

_LOCK_SECONDS: Final = 600.0


def back_up(spec: CellSpec) -> bool:
    """A verified backup of the cell as it is now; blocks. False when no gateway ever wrote anything.

    Raises NeedsAttentionError when OpenClaw cannot make one.
    """
    paths = CellPaths(root=spec.directories.root)
    with _locked(spec):
        if not directories.was_used(paths):
            return False
        archive.create(_source(spec, slug=spec.slug, key=spec.backup_key.get_secret_value()), spec.directories.backups)
    return True


def fill(spec: CellSpec, backup: archive.Archive) -> bool:
    """Restore `backup` into the cell that was built suspended for `spec`; blocks.

    False when the state was used or filled before: it is never overwritten. Can be killed and repeated at any point.
    Raises what `archive.restore` raises.
    """
    paths, ids = CellPaths(root=spec.directories.root), _ids(spec)
    with _locked(spec):
        directories.ensure(paths, spec.slug, ids)
        if directories.was_used(paths):
            return False
        source = _source(spec, slug=backup.slug, key=backup.key)
        _discard(paths)
        staging = paths.root / f"restore-{secrets.token_hex(4)}"
        restored = archive.restore(source, backup.folder, backup.manifest, staging)
        # The new folder holds no state yet: between these two renames nothing can be lost.
        paths.state.rename(staging / "empty")
        _take(staging, restored, paths)
        directories.ensure(paths, spec.slug, ids)
        _discard(paths)
    return True


def _locked(spec: CellSpec) -> AbstractContextManager[None]:
    lock = SupervisorPaths(folder=spec.directories.supervisor).operation_lock(spec.slug)
    return locked(lock, seconds=_LOCK_SECONDS, what=f"Cell {spec.slug}")


def _ids(spec: CellSpec) -> Ids | None:
    return accounts.find(spec.account) if spec.account else None


def _source(spec: CellSpec, *, slug: str, key: str) -> archive.ArchiveSource:
    return archive.ArchiveSource(
        slug=slug,
        paths=CellPaths(root=spec.directories.root),
        ids=_ids(spec),
        node=spec.runtime.node,
        openclaw=spec.runtime.openclaw,
        version=spec.runtime.version,
        key=key,
    )


def _take(staging: Path, restored: Path, paths: CellPaths) -> None:
    """The cell's account unpacked what is in `staging`: no link in there may decide what becomes the state."""
    *trail, name = restored.relative_to(staging).parts
    folder = untrusted_tree.open_below(staging, trail)
    try:
        os.rename(name, paths.state, src_dir_fd=folder)
    finally:
        os.close(folder)


def _discard(paths: CellPaths) -> None:
    for leftover in paths.root.glob("restore-*"):
        untrusted_tree.remove(leftover)
