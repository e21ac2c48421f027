"""One release: everything is looked at before anything is pushed, and the tag comes last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from clawstack.errors import NeedsAttentionError
from toolchain.ground.surroundings import Surroundings
from toolchain.image import building, debian, sbom, tools
from toolchain.image.code import own
from toolchain.image.layout import Image
from toolchain.publishing import artifacts, rendering
from toolchain.publishing.artifacts import Artifact, digest_of
from toolchain.publishing.reference import Reference
from toolchain.publishing.registry import Registry
from toolchain.publishing.signing import sign, tag_of
from toolchain.tasks.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is going to be pushed."""

    target: Reference
    image: Image
    beside: dict[str, Artifact]
    """By tag: list of packages and manifests."""

    @property
    def reference(self) -> str:
        """Name, tag and digest of the image."""
        return f"{self.target.name}:{self.target.tag}@{self.image.digest}"


def objections(around: Surroundings, image: Image, state: building.Revision) -> Iterator[str]:
    """Why this must not be released, as sentences."""
    if state.changed:
        shown = ", ".join(state.changed[:5])
        yield f"The checkout is not as committed ({shown}): nobody could build this image again."
    elif not state.commit:
        yield "git does not tell which commit this is."
    if offline := tools.engine(around).offline:
        yield f"Plugins in the image are stand-ins, which a production profile does not use: {', '.join(offline)}."
    if differs := debian.deviations(image.layers[0], around.machine):
        yield f"Debian's packages are not those of the lock: {', '.join(differs[:5])}. `... image lock` takes them over."


def prepare(target: Reference, image: Image, settings: Path | None, created: str) -> Release:
    """The release of an image that was built."""
    reference = f"{target.name}:{target.tag}@{image.digest}"
    listed = sbom.document(own(), [each for layer in image.layers for each in layer.components], created=created)
    packages = artifacts.of_files(artifacts.SBOM, {"sbom.cdx.json": listed}, image.manifest)
    files = rendering.files(reference, settings)
    manifests = artifacts.of_files(artifacts.MANIFESTS, files, image.manifest)
    beside = {f"{image.digest.replace(':', '-')}.sbom": packages, f"{target.tag}-manifests": manifests}
    return Release(target=target, image=image, beside=beside)


def require(found: list[str]) -> None:
    """Raises NeedsAttentionError with all objections."""
    if found:
        raise NeedsAttentionError(
            " ".join(found),
            code="not_releasable",
            remedy="Mend that; to try a registry all the same, add --allow-unfit (never for production).",
        )


def push(release: Release, registry: Registry, key: ec.EllipticCurvePrivateKey, progress: Progress) -> None:
    """Blobs first, then what names them, then signatures, and last the tags: nobody finds anything unsigned by its name."""
    image, name = release.image, release.target.name
    for layer in image.layers:
        progress.note(f"pushing {layer.size / 1e6:.0f} MB, {layer.digest[:12]}")
        registry.push_blob(f"sha256:{layer.digest}", layer.file)
    registry.push_blob(digest_of(image.config), image.config)
    registry.push_manifest(image.digest, image.manifest)
    for artifact in release.beside.values():
        _push(registry, artifact, artifact.digest)
    for digest in (image.digest, *(artifact.digest for artifact in release.beside.values())):
        _push(registry, sign(name, digest, key), tag_of(digest))
    for tag, artifact in release.beside.items():
        registry.push_manifest(tag, artifact.manifest)
    registry.push_manifest(release.target.tag, image.manifest)


def _push(registry: Registry, artifact: Artifact, name: str) -> None:
    for digest, blob in artifact.blobs.items():
        registry.push_blob(digest, blob)
    registry.push_manifest(name, artifact.manifest)
