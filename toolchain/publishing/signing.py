"""Signatures over digests, in cosign's form (its SIGNATURE_SPEC.md): `cosign verify --key` accepts them.

A signature is an artifact beside the image, under a tag that is made of the digest. It says: whoever has this key meant
this digest to be found under this name.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clawstack.errors import InvalidInputError
from toolchain.ground.oci import Settings, descriptor, image_config, image_manifest, to_json
from toolchain.publishing.artifacts import Artifact, digest_of

PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION: Final = "dev.cosignproject.cosign/signature"
_TYPE: Final = "cosign container image signature"
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
"""On P-256: what cosign itself makes keys for."""


def make_keys(folder: Path, password: str = "") -> tuple[Path, Path]:
    """A new pair: `release.key` (only for its owner, encrypted with the password if there is one) and `release.pub`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    closed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        closed = serialization.BestAvailableEncryption(password.encode())
    private, public = folder / "release.key", folder / "release.pub"
    handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed))
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def load_private(file: Path, password: str = "") -> ec.EllipticCurvePrivateKey:
    """Raises InvalidInputError for what is no key on P-256, or not with this password."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password.encode() or None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _bad_key(file, str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _bad_key(file, "it is of another kind")
    return key


def load_public(file: Path) -> ec.EllipticCurvePublicKey:
    """Raises InvalidInputError for what is no public key on P-256."""
    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _bad_key(file, str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _bad_key(file, "it is of another kind")
    return key


def _bad_key(file: Path, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{file} is not usable as an ECDSA key on P-256: {why}.",
        code="bad_key",
        remedy="`python -m toolchain release keys FOLDER` makes a pair; RELEASE_KEY_PASSWORD opens a closed one.",
    )


def tag_of(digest: str) -> str:
    """Where the signature of a digest lies."""
    return f"{digest.replace(':', '-')}.sig"


def sign(name: str, digest: str, key: ec.EllipticCurvePrivateKey) -> Artifact:
    """The signature that `digest` is what is meant by `name` (registry and repository)."""
    payload = to_json(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": digest},
                "type": _TYPE,
            },
            "optional": None,
        }
    )
    signature = base64.b64encode(key.sign(payload, _ALGORITHM)).decode()
    config = image_config(Settings(), [digest_of(payload).removeprefix("sha256:")])
    described = {
        "mediaType": PAYLOAD,
        "digest": digest_of(payload),
        "size": len(payload),
        "annotations": {ANNOTATION: signature},
    }
    manifest = image_manifest(descriptor("config.v1+json", config), [described])
    return Artifact(manifest=manifest, blobs={digest_of(blob): blob for blob in (config, payload)})


def is_signed(name: str, digest: str, payload: bytes, signature: str, key: ec.EllipticCurvePublicKey) -> bool:
    """Whether the key's owner signed exactly this digest under exactly this name."""
    try:
        key.verify(base64.b64decode(signature, validate=True), payload, _ALGORITHM)
        said = json.loads(payload)["critical"]
        meant = said["identity"]["docker-reference"], said["image"]["docker-manifest-digest"], said["type"]
    except (InvalidSignature, binascii.Error, ValueError, KeyError, TypeError):
        return False
    return bool(meant == (name, digest, _TYPE))
