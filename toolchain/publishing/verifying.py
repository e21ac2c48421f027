"""Looks at what a registry serves with nothing but the public key, and refuses what is not what was published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from clawstack.errors import NotFoundError, PermanentError
from toolchain.publishing.artifacts import digest_of
from toolchain.publishing.reference import Reference
from toolchain.publishing.registry import Registry
from toolchain.publishing.signing import ANNOTATION, PAYLOAD, is_signed, tag_of


def verify(registry: Registry, reference: Reference, key: ec.EllipticCurvePublicKey) -> str:
    """The digest, once manifest, signature and every blob are as published.

    Raises PermanentError that says what differs, NotFoundError where there is nothing under that name.
    """
    manifest = registry.manifest(reference.digest or reference.tag)
    digest = digest_of(manifest)
    if reference.digest and digest != reference.digest:
        raise _changed(f"the registry serves {digest} under {reference.digest}")
    if not any(is_signed(reference.name, digest, *found, key) for found in _signatures(registry, digest)):
        raise PermanentError(
            f"{reference.name}@{digest} has no signature by this key.",
            code="not_signed",
            remedy="Do not run it: whoever put it there has not the release key.",
        )
    said = json.loads(manifest)
    for named in (said["config"], *said["layers"]):
        _require(registry, named)
    return digest


def _signatures(registry: Registry, digest: str) -> Iterator[tuple[bytes, str]]:
    try:
        said = json.loads(registry.manifest(tag_of(digest)))
    except NotFoundError:
        return
    for named in said.get("layers", ()):
        if named.get("mediaType") == PAYLOAD and ANNOTATION in named.get("annotations", {}):
            yield b"".join(registry.blob(named["digest"])), named["annotations"][ANNOTATION]


def _require(registry: Registry, named: dict[str, Any]) -> None:
    seen, size = hashlib.sha256(), 0
    for piece in registry.blob(named["digest"]):
        seen.update(piece)
        size += len(piece)
        if size > named["size"]:
            break
    if (f"sha256:{seen.hexdigest()}", size) != (named["digest"], named["size"]):
        raise _changed(f"blob {named['digest']} has other bytes")


def _changed(what: str) -> PermanentError:
    return PermanentError(
        f"What was published was changed: {what}.",
        code="tampered",
        remedy="Do not run it, and tell the registry's owner.",
    )
