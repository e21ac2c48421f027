"""Images without a registry: an OCI image archive of one layer, written in one pass and the same at every writing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from typing_extensions import override

_BLOCK: Final = 1 << 20
_MEDIA: Final = "application/vnd.oci.image"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in an image: a file of this machine, a link, or (with neither) a folder."""

    path: str
    source: Path | None = None
    link: str | None = None
    content: bytes | None = None
    mode: int = 0o755


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a container of the image starts with when its pod says nothing."""

    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = "/"
    machine: str = "x86_64"


def write_archive(file: Path, name: str, entries: Iterable[Entry], settings: Settings) -> str:
    """Write the image `name` (with tag) and return its full reference `name@sha256:...`.

    The archive names the image twice, with its tag and with its digest, so that whoever imports it finds it by both.
    """
    layer = file.with_suffix(".layer")
    try:
        with layer.open("wb") as sink:
            layer_digest = _write_layer(sink, entries)
        return _assemble(file, name, layer, layer_digest, settings)
    finally:
        layer.unlink(missing_ok=True)


def tree(source: Path, target: str) -> Iterator[Entry]:
    """Every file of a tree, in a fixed order."""
    yield Entry(path=target)
    for folder, folders, files in os.walk(source):
        folders.sort()
        for entry in sorted((*folders, *files)):
            here = Path(folder, entry)
            path = str(PurePosixPath(target, here.relative_to(source)))
            if here.is_symlink():
                yield Entry(path=path, link=str(here.readlink()))
            elif here.is_dir():
                yield Entry(path=path)
            elif here.is_file():
                yield Entry(path=path, source=here, mode=0o755 if here.stat().st_mode & stat.S_IXUSR else 0o644)


def with_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, each after the folders that it lies in; a path that comes again is left out."""
    seen: set[str] = {"/"}
    for entry in entries:
        for parent in reversed(PurePosixPath(entry.path).parents):
            if str(parent) not in seen:
                seen.add(str(parent))
                yield Entry(path=str(parent))
        if entry.path not in seen:
            seen.add(entry.path)
            yield entry


class _Hashing(io.RawIOBase):
    """Writes on, and knows the digest of what went through."""

    def __init__(self, sink: io.BufferedWriter) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._sink.write(data)


def _write_layer(sink: io.BufferedWriter, entries: Iterable[Entry]) -> str:
    through = _Hashing(sink)
    with tarfile.open(fileobj=through, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BLOCK) as layer:
        for entry in with_parents(entries):
            _add(layer, entry)
    return through.digest.hexdigest()


def _add(layer: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path.lstrip("/"))
    info.mode = entry.mode
    if entry.source is not None:
        info.size = entry.source.stat().st_size
        with entry.source.open("rb") as content:
            layer.addfile(info, content)
        return
    if entry.content is not None:
        info.size = len(entry.content)
        layer.addfile(info, io.BytesIO(entry.content))
        return
    info.type = tarfile.SYMTYPE if entry.link is not None else tarfile.DIRTYPE
    info.linkname = entry.link or ""
    layer.addfile(info)


def _assemble(file: Path, name: str, layer: Path, layer_digest: str, settings: Settings) -> str:
    architecture = _ARCHITECTURES.get(settings.machine, settings.machine)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Env": [f"{key}={value}" for key, value in settings.environ.items()],
                "Entrypoint": list(settings.command),
                "User": settings.user,
                "WorkingDir": settings.folder,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created_by": "clawstack toolchain"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [
                {
                    "mediaType": f"{_MEDIA}.layer.v1.tar",
                    "digest": f"sha256:{layer_digest}",
                    "size": layer.stat().st_size,
                }
            ],
        }
    )
    described = _descriptor("manifest.v1+json", manifest)
    bare = name.rpartition(":")[0]
    described["platform"] = {"architecture": architecture, "os": "linux"}
    names = (name, f"{bare}@{described['digest']}")
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.index.v1+json",
        "manifests": [{**described, "annotations": {"io.containerd.image.name": each}} for each in names],
    }
    with tarfile.open(file, "w") as archive:
        _put(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _put(archive, "index.json", _json(index))
        for blob in (config, manifest):
            _put(archive, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        info = tarfile.TarInfo(f"blobs/sha256/{layer_digest}")
        info.size = layer.stat().st_size
        with layer.open("rb") as content:
            archive.addfile(info, content)
    return f"{name}@{described['digest']}"


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_MEDIA}.{kind}", "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
