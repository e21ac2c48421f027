"""One layer: a compressed tar in the cache, with what somebody must know of it to put it into an image."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from toolchain.cluster.archive import Entry, Hashing, Writable, write_layer
from toolchain.ground.building import place

_BLOB: Final = "layer.tar.gz"
_FACTS: Final = "layer.json"
_LEVEL: Final = 6


@dataclass(frozen=True, kw_only=True)
class Component:
    """A package in the image, as its own manager tells of it."""

    kind: str
    """As a package URL has it: deb, pypi, golang, generic."""
    name: str
    version: str
    licence: str = ""
    """Only where the package itself says it in SPDX's words."""
    where: str = ""
    """What follows the version in the package URL."""

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec"""
        place = "debian/" if self.kind == "deb" else ""
        version = quote(self.version, safe=".-_~:")
        return f"pkg:{self.kind}/{place}{quote(self.name, safe='/.-_')}@{version}{self.where}"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as an image names it."""

    file: Path
    digest: str
    """SHA-256 of the file, in hex: what a registry calls it."""
    size: int
    diff_id: str
    """SHA-256 of the tar in it: the same whatever compressed it."""
    components: tuple[Component, ...]


def write(folder: Path, tar: Callable[[Writable], object], components: Iterable[Component]) -> Layer:
    """Compress what `tar` writes into `folder`, and note what it is."""
    with (folder / _BLOB).open("wb") as file:
        outer = Hashing(file)
        # No name and no time in the head: the same bytes at every writing.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=outer, mtime=0) as packed:
            inner = Hashing(packed)
            tar(inner)
    facts = {"digest": outer.digest.hexdigest(), "size": outer.size, "diff_id": inner.digest.hexdigest()}
    ordered = sorted(components, key=lambda each: (each.kind, each.name, each.version))
    (folder / _FACTS).write_text(json.dumps({**facts, "components": [asdict(each) for each in ordered]}, indent=1))
    return read(folder)


def write_entries(folder: Path, entries: Iterable[Entry], components: Iterable[Component] = ()) -> Layer:
    """A layer of files of this machine, all root's and without times."""
    return write(folder, lambda sink: write_layer(sink, entries), components)


def read(folder: Path) -> Layer:
    """The layer that was written into the folder."""
    facts = json.loads((folder / _FACTS).read_text())
    components = tuple(Component(**each) for each in facts.pop("components"))
    return Layer(file=folder / _BLOB, components=components, **facts)


def cached(folder: Path, fill: Callable[[Path], None], waiting: Callable[[], None]) -> Layer:
    """The layer of that folder in the cache; `fill` makes it where it is missing."""
    if not (folder / _FACTS).is_file():
        place(folder, fill, waiting=waiting)
    return read(folder)
