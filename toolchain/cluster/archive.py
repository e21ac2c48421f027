"""Images without a registry: layers, and archives of one layer, written in one pass and the same at every writing."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from typing_extensions import override

from toolchain.ground.oci import MEDIA, Settings, descriptor, image_config, image_index, image_manifest, names, pack

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in an image: a file of this machine, a link, or (with neither) a folder."""

    path: str
    source: Path | None = None
    link: str | None = None
    content: bytes | None = None
    mode: int = 0o755


def write_archive(file: Path, name: str, entries: Iterable[Entry], settings: Settings) -> str:
    """Write the image `name` (with tag) and return its full reference `name@sha256:...`.

    The archive names the image twice, with its tag and with its digest, so that whoever imports it finds it by both.
    """
    layer = file.with_suffix(".layer")
    try:
        with layer.open("wb") as sink:
            layer_digest = write_layer(sink, entries)
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


class Writable(Protocol):
    """A file, or what passes on to one."""

    def write(self, data: Any, /) -> int:
        """How much of it was taken."""


class Hashing(io.RawIOBase):
    """Writes on, and knows digest and length of what went through."""

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()
        self.size = 0

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._sink.write(data)


def write_layer(sink: Writable, entries: Iterable[Entry]) -> str:
    """Write the entries as a tar, all root's and without times; returns its SHA-256 in hex."""
    through = Hashing(sink)
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
    config = image_config(settings, [layer_digest])
    size = layer.stat().st_size
    described = {"mediaType": f"{MEDIA}.layer.v1.tar", "digest": f"sha256:{layer_digest}", "size": size}
    manifest = image_manifest(descriptor("config.v1+json", config), [described])
    index = image_index(manifest, names(name, manifest), settings)
    blobs = {hashlib.sha256(blob).hexdigest(): blob for blob in (config, manifest)}
    pack(file, index, {**blobs, layer_digest: layer})
    return f"{name}@sha256:{hashlib.sha256(manifest).hexdigest()}"
