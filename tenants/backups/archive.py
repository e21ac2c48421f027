"""Takes, checks and restores backups. OpenClaw makes the archive (it knows its databases); here it is sealed and kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from typing_extensions import override

from clawstack import untrusted_tree
from clawstack.errors import ClawstackError, NeedsAttentionError, NotFoundError, PermanentError
from tenants.backups import as_cell, packing, tidying
from tenants.backups.finishing import FINISH, UNFINISHED
from tenants.backups.stream import CHUNK, decrypt, encrypt
from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tenants.process.files import read_json, write_json

_SUFFIX: Final = ".tar.gz.enc"
_SECONDS: Final = 900.0
"""For a state of several gigabytes on a slow disk."""
_OUTPUT: Final = 2000


@dataclass(frozen=True, kw_only=True)
class ArchiveManifest:
    """What is known of one backup. It is written last: an archive without it is not a backup."""

    slug: str
    archive: str
    """File name beside the manifest."""
    sha256: str
    """Of the encrypted file."""
    size: int
    """Bytes of the encrypted file."""
    plain_sha256: str
    created_at: str
    openclaw_version: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A verified backup as it lies sealed in a folder."""

    folder: Path
    """Of all backups; those of one cell are in a folder named after its slug."""
    manifest: ArchiveManifest
    key: str = field(repr=False)
    """Backup key of the cell that it was taken from, 32 bytes in base64."""

    @property
    def slug(self) -> str:
        """Of the cell that it was taken from: sealed into it."""
        return self.manifest.slug

    @property
    def path(self) -> Path:
        """The sealed file."""
        return self.folder / self.slug / self.manifest.archive


@dataclass(frozen=True, kw_only=True)
class ArchiveSource:
    """The cell that is backed up, or into which an archive is unpacked."""

    slug: str
    paths: CellPaths
    ids: Ids | None
    node: Path
    openclaw: Path
    version: str
    key: str = field(repr=False)
    """32 bytes in base64."""


def create(source: ArchiveSource, folder: Path) -> ArchiveManifest:
    """Back the cell up into `folder`/<slug>; the archive is there, readable again and recorded, or this raises.

    Works with a running gateway (OpenClaw copies its databases online) and without one. What OpenClaw would refuse in the
    state is mended first (`tidying`, `packing`): no cell keeps itself from being destroyed.
    """
    target = folder / source.slug
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    outbox = source.paths.root / f"backup-{secrets.token_hex(4)}"
    _discard_old(source.paths.root)
    outbox.mkdir(mode=0o700)
    try:
        if source.ids is not None:
            os.chown(outbox, source.ids.uid, source.ids.gid)
        tidying.tidy(source.paths, source.ids)
        packing.pack(source.paths, source.ids)
        return _seal(source, _archive(source, outbox), target)
    except OSError as error:
        raise NeedsAttentionError(
            f"The backup of {source.slug} could not be written: {error.strerror}.",
            code="backup_failed",
            remedy=f"Make room below {folder}, then run the operation again; nothing was erased.",
        ) from error
    finally:
        with suppress(ClawstackError):  # else before the next backup; what went wrong first is what counts
            untrusted_tree.remove(outbox)


def verify(source: ArchiveSource, folder: Path, manifest: ArchiveManifest) -> None:
    """Raises PermanentError unless the archive is complete, unchanged and opens with the tenant's key."""
    archive = folder / source.slug / manifest.archive
    if not archive.is_file():
        raise NotFoundError(f"The backup {manifest.archive} of {source.slug} is not there.", code="backup_missing")
    sealed, plain = HashingWriter(), HashingWriter()
    with archive.open("rb") as file:
        shutil.copyfileobj(file, sealed, CHUNK)
        file.seek(0)
        decrypt(file, plain, key=_key(source), slug=source.slug)
    if sealed.hexdigest() != manifest.sha256 or plain.hexdigest() != manifest.plain_sha256:
        raise PermanentError(f"The backup {manifest.archive} of {source.slug} was changed.", code="bad_backup")


def restore(source: ArchiveSource, folder: Path, manifest: ArchiveManifest, staging: Path) -> Path:
    """Unpack a backup into the new folder `staging` and have OpenClaw check it; returns the restored state directory.

    The running cell is not touched: activation (stop, swap, start) is the caller's.
    """
    verify(source, folder, manifest)
    staging.mkdir(parents=True, mode=0o700)
    archive = staging / "archive.tar.gz"
    with (folder / source.slug / manifest.archive).open("rb") as file, archive.open("xb") as plain:
        decrypt(file, plain, key=_key(source), slug=source.slug)
    if source.ids is not None:
        for path in (staging, archive):
            os.chown(path, source.ids.uid, source.ids.gid)
    _openclaw(source, "backup", "restore", str(archive), "--target", str(staging / "restored"))
    archive.unlink()
    found = [entry.trail[:-1] for entry in untrusted_tree.walk(staging / "restored") if _is_database(entry)]
    state = min(found, key=len, default=[])
    if not found or any(trail[: len(state)] != state for trail in found):
        raise PermanentError(f"The backup {manifest.archive} holds {len(found)} state directories.", code="bad_backup")
    return staging.joinpath("restored", *state)  # the outermost: the customer may keep a copy of one in the workspace


def manifests(folder: Path, slug: str) -> list[ArchiveManifest]:
    """All backups of the cell, oldest first."""
    found = (read_json(path) for path in sorted((folder / slug).glob("*.json")))
    return [ArchiveManifest(**data) for data in found if data]


def _archive(source: ArchiveSource, outbox: Path) -> Path:
    arguments = ("backup", "create", "--output", str(outbox), "--verify", "--json")
    try:
        answer = _openclaw(source, *arguments)
    except NeedsAttentionError as refused:
        if re.search(UNFINISHED, str(refused)) is None:
            raise
        _openclaw(source, *FINISH)
        answer = _openclaw(source, *arguments)
    made = list(outbox.glob("*.tar.gz"))
    if answer.get("verified") is not True or len(made) != 1:
        raise NeedsAttentionError(
            f"OpenClaw made {len(made)} archives of {source.slug} and says verified={answer.get('verified')}.",
            code="backup_failed",
            remedy="Run the operation again; nothing was erased.",
        )
    return made[0]


def _seal(source: ArchiveSource, plain: Path, target: Path) -> ArchiveManifest:
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z"
    draft = target / f".{name}.{os.getpid()}"
    descriptor = _open_made(source, plain)
    try:
        with os.fdopen(descriptor, "rb") as file, _create(draft) as sealed:
            reader = BoundedReader(file, size=os.fstat(descriptor).st_size)
            encrypt(reader, sealed, key=_key(source), slug=source.slug)
            sealed.flush()
            os.fsync(sealed.fileno())
        with draft.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = ArchiveManifest(
            slug=source.slug, archive=name + _SUFFIX, sha256=sha256, size=draft.stat().st_size,
            plain_sha256=reader.hexdigest(), created_at=now.isoformat(), openclaw_version=source.version, verified=True,
        )  # fmt: skip
        draft.rename(target / manifest.archive)
    finally:
        draft.unlink(missing_ok=True)
    verify(source, target.parent, manifest)
    write_json(target / f"{name}.json", asdict(manifest))
    return manifest


def _open_made(source: ArchiveSource, plain: Path) -> int:
    """A descriptor of the archive that OpenClaw made, never of what the cell put in its place.

    A pipe would block for ever, and another name of somebody else's file would seal that into the customer's backup.
    """
    descriptor = os.open(plain, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    mine = source.ids.uid if source.ids else os.geteuid()
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == mine:
        return descriptor
    os.close(descriptor)
    raise NeedsAttentionError(
        f"What lies in the place of {source.slug}'s archive is not a file that OpenClaw wrote.",
        code="backup_failed",
        remedy="Look at what the assistant's account runs, then run the operation again; nothing was erased.",
    )


def _is_database(entry: untrusted_tree.Entry) -> bool:
    return entry.name == "openclaw.sqlite" and entry.trail[-1:] == ["state"] and stat.S_ISREG(entry.status.st_mode)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _discard_old(root: Path) -> None:
    for leftover in root.glob("backup-*"):
        untrusted_tree.remove(leftover)


def _openclaw(source: ArchiveSource, *arguments: str) -> Mapping[str, Any]:
    """Run an OpenClaw command as the cell's account, without any of the cell's tokens; its JSON answer, if it has one."""
    state = str(source.paths.state)
    environ = {
        "HOME": state, "PATH": f"{source.node.parent}:/usr/bin:/bin", "TMPDIR": str(source.paths.state / "tmp"),
        "OPENCLAW_HOME": state, "OPENCLAW_STATE_DIR": state, "OPENCLAW_CONFIG_PATH": str(source.paths.config),
        "OPENCLAW_CONFIG_READONLY": "1", "OPENCLAW_NO_AUTO_UPDATE": "1", "DO_NOT_TRACK": "1", "NO_COLOR": "1",
    }  # fmt: skip
    room = as_cell.room(source.paths)
    try:
        result = as_cell.run(
            source.paths, source.ids, source.node, source.openclaw, *arguments,
            env=environ, seconds=_SECONDS, most=room,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(source, arguments, str(error)) from error
    if result.returncode == -signal.SIGXFSZ or (result.returncode != 0 and "EFBIG" in result.stderr):
        raise _too_large(source, room)
    if result.returncode != 0:
        words = (result.stderr or result.stdout)[-_OUTPUT:].strip() or "it said nothing"
        raise _failed(source, arguments, f"exit code {result.returncode}: {words}")
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _too_large(source: ArchiveSource, room: int) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"The backup of {source.slug} would take more than the {room // 2**20} MiB that there is room for.",
        code="backup_failed",
        remedy=f"Make room on the disk of {source.paths.root.parent}, then run the operation again; nothing was erased.",
    )


def _failed(source: ArchiveSource, arguments: tuple[str, ...], reason: str) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"`openclaw {' '.join(arguments[:2])}` failed for {source.slug}: {reason}",
        code="backup_failed",
        remedy="Mend the cause and run the operation again, or destroy with skip_backup; nothing was erased.",
    )


def _key(source: ArchiveSource) -> bytes:
    return base64.b64decode(source.key)


class BoundedReader(io.BytesIO):
    """Reads the first `size` bytes of a file that may still grow, and knows the digest of what was read."""

    def __init__(self, file: BinaryIO, *, size: int) -> None:
        super().__init__()
        self._file, self._left = file, size
        self._hash = hashlib.sha256()

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class HashingWriter(io.BytesIO):
    """A file that only remembers its digest."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = hashlib.sha256()

    @override
    def write(self, data: Any) -> int:
        self._hash.update(data)
        return len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
