"""What is pushed beside an image, in the form of one: a manifest whose layers are files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from toolchain.ground.oci import MEDIA, descriptor, image_manifest

_EMPTY: Final = b"{}"
SBOM: Final = "application/vnd.cyclonedx+json"
MANIFESTS: Final = "application/vnd.clawstack.manifests+yaml"
"""Our own: what is in it is plain YAML of Kubernetes and of Pulumi's configuration."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A manifest with all that it names."""

    manifest: bytes
    blobs: Mapping[str, bytes] = field(repr=False)
    """By digest (`sha256:...`)."""

    @property
    def digest(self) -> str:
        """`sha256:...`"""
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def of_files(kind: str, files: Mapping[str, bytes], subject: bytes) -> Artifact:
    """Files as an artifact of `kind` that belongs to the image with the manifest `subject` (OCI 1.1)."""
    described = [
        {
            "mediaType": kind,
            "digest": digest_of(content),
            "size": len(content),
            "annotations": {"org.opencontainers.image.title": name},
        }
        for name, content in files.items()
    ]
    empty = {"mediaType": f"{MEDIA.removesuffix('.image')}.empty.v1+json", "digest": digest_of(_EMPTY), "size": 2}
    manifest = image_manifest(empty, described, artifactType=kind, subject=descriptor("manifest.v1+json", subject))
    return Artifact(manifest=manifest, blobs={digest_of(blob): blob for blob in (_EMPTY, *files.values())})
