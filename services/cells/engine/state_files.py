"""What a crash leaves in Pulumi's state, and how it is put right. Knows the layout of DIY backends (pkg/backend/diy).

Only `file://` state can be looked at here; of other backends the CLI tells (`remote_state`).
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import psutil

from services.cells.engine.identity import is_alive, this_host

#: A lock's time is taken after its process started; clocks and ticks may differ by this much.
_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StackFiles:
    """The files of one stack below one `file://` backend."""

    root: Path
    project: str
    stack: str

    @property
    def checkpoint(self) -> Path:
        """The state itself. Pulumi replaces it by rename and keeps the one before as `.bak`."""
        return self.root / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    @property
    def backup(self) -> Path:
        """The state before the last write."""
        return self.checkpoint.with_name(self.checkpoint.name + ".bak")

    @property
    def locks(self) -> Path:
        """Folder of lock files."""
        return self.root / ".pulumi" / "locks" / "organization" / self.project / self.stack

    def exists(self) -> bool:
        """True when Pulumi has this stack."""
        return self.checkpoint.is_file()


def files_of(backend_url: str, *, project: str, stack: str) -> StackFiles | None:
    """The stack's files, None for a backend that is not on this machine."""
    parts = urlsplit(backend_url)
    if parts.scheme != "file":
        return None
    return StackFiles(root=Path(unquote(parts.path)), project=project, stack=stack)


def create(files: StackFiles) -> None:
    """Make an empty stack, as `pulumi stack init` does; one that is there stays as it is.

    Saves a CLI process (0.3 CPU-seconds). The first update chooses the stack's key from its passphrase. Source of the
    layout: pkg/backend/diy/{meta,state}.go; the tests compare it with what the CLI itself leaves.
    """
    files.checkpoint.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _place(files.root / ".pulumi" / "meta.yaml", "version: 1\n")  # else the CLI takes the location for one of old
    name = f"organization/{files.project}/{files.stack}"
    _place(files.checkpoint, json.dumps({"version": 3, "checkpoint": {"stack": name}}, separators=(",", ":")))


def mend(files: StackFiles) -> bool:
    """Put the last good state in place of one that a crash of the machine cut short; True when that was necessary.

    A missing file is not mended: `stack rm` leaves exactly that, with a `.bak` beside it.
    """
    if not files.checkpoint.is_file() or _is_complete(files.checkpoint) or not _is_complete(files.backup):
        return False
    damaged = files.checkpoint.with_name(files.checkpoint.name + ".damaged")
    shutil.copy2(files.checkpoint, damaged)
    draft = files.checkpoint.with_name(files.checkpoint.name + ".mended")
    shutil.copy2(files.backup, draft)
    draft.replace(files.checkpoint)
    return True


def drop_torn_attributes(files: StackFiles) -> bool:
    """Remove attribute files that a killed CLI left empty; True when there was one.

    The file store replaces a state by rename, but first writes `<name>.attrs` beside it in place. A kill between the two
    leaves an empty one, and from then on every command ends with "failed to load checkpoint: EOF". The state itself is
    whole, and its attributes (media type, checksum) are read by nobody: without the file the store goes on.
    Source: gocloud.dev/blob/fileblob attrs.go, and a kill that hit the place.
    """
    kept = (files.checkpoint, files.backup, files.root / ".pulumi" / "meta.yaml")
    torn = [path for path in map(_attributes_of, kept) if path.is_file() and not _is_json(path)]
    for path in torn:
        path.unlink(missing_ok=True)
    return bool(torn)


def break_stale_locks(files: StackFiles) -> list[str]:
    """Remove locks of processes of this machine that are proven dead; returns what was removed, one sentence each."""
    removed = []
    for path in sorted(files.locks.glob("*.json")) if files.locks.is_dir() else []:
        owner = _owner(path)
        if owner is None or not owner_is_dead(owner):
            continue
        for leftover in (path, _attributes_of(path)):
            leftover.unlink(missing_ok=True)
        removed.append(f"Removed the lock of process {owner.pid}, which is dead.")
    return removed


def prune_history(files: StackFiles, *, keep: int = 20) -> None:
    """Drop old copies of the state: Pulumi keeps one per update for ever, and nobody reads them here."""
    folder = files.root / ".pulumi" / "history" / files.project / files.stack
    entries = sorted(folder.glob("*.history.json"), reverse=True) if folder.is_dir() else []
    for entry in entries[keep:]:
        stem = entry.name.removesuffix(".history.json")
        for path in folder.glob(f"{stem}.*"):
            path.unlink(missing_ok=True)


def deployment(files: StackFiles) -> dict[str, Any]:
    """The stack's last recorded deployment; empty when there is none."""
    try:
        state = json.loads(files.checkpoint.read_bytes())
    except (OSError, ValueError):
        return {}
    return (state.get("checkpoint") or {}).get("latest") or {}


@dataclass(frozen=True, kw_only=True, slots=True)
class LockOwner:
    """Whose lock it is, as Pulumi writes it."""

    pid: int
    host: str
    since: float
    """When the lock was taken, seconds since the epoch."""

    @classmethod
    def of(cls, content: Any) -> Self | None:
        """The owner named in a lock's content, None when it names nobody."""
        try:
            since = datetime.fromisoformat(_microseconds(str(content["timestamp"]))).timestamp()
            return cls(pid=int(content["pid"]), host=str(content["hostname"]), since=since)
        except (ValueError, KeyError, TypeError):
            return None


def owner_is_dead(owner: LockOwner) -> bool:
    """True only when it is proven: a process of this machine that is gone, or whose number is somebody else's by now."""
    if owner.host != this_host():
        return False
    if not is_alive(owner.pid):
        return True
    try:
        return psutil.Process(owner.pid).create_time() > owner.since + _TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return True


def _place(path: Path, content: str) -> None:
    """Whole or not at all, and never over what is there."""
    draft = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    draft.write_text(content, encoding="utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _owner(path: Path) -> LockOwner | None:
    try:
        return LockOwner.of(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None


def _microseconds(timestamp: str) -> str:
    """Go writes nanoseconds, which Python refuses."""
    head, dot, tail = timestamp.partition(".")
    if not dot:
        return timestamp
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[: min(digits, 6)].ljust(6, '0')}{tail[digits:]}"


def _attributes_of(path: Path) -> Path:
    return path.with_name(path.name + ".attrs")


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _is_complete(path: Path) -> bool:
    try:
        if path.stat().st_size == 0:
            return False
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "checkpoint" in content
