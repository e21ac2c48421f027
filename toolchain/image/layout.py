"""Joins layers to an image: a folder in the OCI layout, from which it is pushed, and a tar of it for a node."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.ground.oci import (
    LAYOUT,
    MEDIA,
    Settings,
    descriptor,
    image_config,
    image_index,
    image_manifest,
    names,
    pack,
)
from toolchain.image.layer import Layer


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in a folder."""

    folder: Path
    name: str
    """With its tag."""
    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        """What it is pulled by: `sha256:...`."""
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"

    @property
    def reference(self) -> str:
        """Tag and digest, as the add-on `workloads` takes it."""
        return f"{self.name}@{self.digest}"

    @property
    def size(self) -> int:
        """Bytes that a node pulls."""
        return sum(layer.size for layer in self.layers) + len(self.config) + len(self.manifest)


def write(folder: Path, name: str, layers: Sequence[Layer], settings: Settings) -> Image:
    """Write the layout into `folder`; blobs that are there already stay."""
    config = image_config(settings, [layer.diff_id for layer in layers])
    manifest = image_manifest(descriptor("config.v1+json", config), [_described(layer) for layer in layers])
    image = Image(folder=folder, name=name, manifest=manifest, config=config, layers=tuple(layers))
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        _put(layer.file, blobs / layer.digest)
    for blob in (config, manifest):
        (blobs / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
    (folder / "oci-layout").write_bytes(LAYOUT)
    (folder / "index.json").write_bytes(image_index(manifest, names(name, manifest), settings))
    return image


def archive(image: Image, file: Path) -> None:
    """The same as one tar, which containerd imports."""
    blobs: dict[str, bytes | Path] = {hashlib.sha256(blob).hexdigest(): blob for blob in (image.config, image.manifest)}
    pack(
        file, (image.folder / "index.json").read_bytes(), {**blobs, **{each.digest: each.file for each in image.layers}}
    )


def _described(layer: Layer) -> dict[str, object]:
    return {"mediaType": f"{MEDIA}.layer.v1.tar+gzip", "digest": f"sha256:{layer.digest}", "size": layer.size}


def _put(file: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(file, target)
    except OSError:  # another disk
        shutil.copyfile(file, target)
