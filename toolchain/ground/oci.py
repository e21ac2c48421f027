"""The JSON of container images (https://github.com/opencontainers/image-spec), and a layout of them as one tar."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MEDIA: Final = "application/vnd.oci.image"
LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a container of the image starts with when its pod says nothing."""

    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = "/"
    machine: str = "x86_64"
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    """RFC 3339; empty: no date."""


def image_config(settings: Settings, diff_ids: Sequence[str]) -> bytes:
    """The image's configuration (https://github.com/opencontainers/image-spec); `diff_ids`: SHA-256 of the tars, in hex."""
    said = {
        "Env": [f"{key}={value}" for key, value in settings.environ.items()],
        "Entrypoint": list(settings.command),
        "User": settings.user,
        "WorkingDir": settings.folder,
        **({"Labels": dict(settings.labels)} if settings.labels else {}),
    }
    dated = {"created": settings.created} if settings.created else {}
    return to_json(
        {
            **dated,
            "architecture": architecture(settings.machine),
            "os": "linux",
            "config": said,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each}" for each in diff_ids]},
            "history": [{**dated, "created_by": "clawstack toolchain"} for _ in diff_ids],
        }
    )


def image_manifest(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    """The manifest over the descriptors of a configuration and of layers."""
    return to_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": dict(config),
            "layers": list(layers),
            **more,
        }
    )


def image_index(manifest: bytes, names: Sequence[str], settings: Settings) -> bytes:
    """What an archive or a layout has in it: one image, under each of the names."""
    described = descriptor("manifest.v1+json", manifest)
    described["platform"] = {"architecture": architecture(settings.machine), "os": "linux"}
    return to_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.index.v1+json",
            "manifests": [{**described, "annotations": {"io.containerd.image.name": each}} for each in names],
        }
    )


def architecture(machine: str) -> str:
    """As images call it."""
    return _ARCHITECTURES.get(machine, machine)


def names(name: str, manifest: bytes) -> tuple[str, str]:
    """Under which an image is looked for: with its tag, and with its digest."""
    return name, f"{name.rpartition(':')[0]}@sha256:{hashlib.sha256(manifest).hexdigest()}"


def pack(file: Path, index: bytes, blobs: Mapping[str, bytes | Path]) -> None:
    """One tar of an OCI layout."""
    with tarfile.open(file, "w") as archive:
        _put(archive, "oci-layout", LAYOUT)
        _put(archive, "index.json", index)
        for digest, blob in blobs.items():
            _put(archive, f"blobs/sha256/{digest}", blob)


def descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    """How an image names one of its parts."""
    return {"mediaType": f"{MEDIA}.{kind}", "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _put(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    info = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(info, file)


def to_json(value: Any) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
