"""The secrets that a recorded deployment holds, opened with the stack's passphrase as the CLI opens them.

A provider that refuses to read or delete a thing may quote what was recorded of it; no program registers that. The form is
that of Pulumi's `passphrase` secrets provider (sdk/go/common/resource/config/crypt.go).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clawstack.plugin_server.secrecy import texts_of
from clawstack.plugin_server.values import SECRET_SIGNATURE, SIGNATURE_KEY

_ROUNDS: Final = 1_000_000
"""PBKDF2's, as Pulumi has them: they cost 0.4 s of a core."""
_KEY_BYTES: Final = 32
_VERSION: Final = "v1"


def secrets_in(deployment: Mapping[str, Any], passphrase: str) -> Iterator[str]:
    """Every text that is secret in it. Nothing where it is not sealed with this passphrase: no provider is told it then."""
    sealed = set(_sealed(deployment))
    salt = _salt(deployment)
    if not sealed or salt is None:
        return
    key = AESGCM(hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, _KEY_BYTES))
    for ciphertext in sealed:
        opened = _opened(key, ciphertext)
        if opened is not None:
            yield from texts_of(json.loads(opened))


def _salt(deployment: Mapping[str, Any]) -> bytes | None:
    """What the key is made with: `v1:SALT:` before a word that proves the passphrase."""
    keeper = deployment.get("secrets_providers") or {}
    parts = str((keeper.get("state") or {}).get("salt", "")).split(":")
    if keeper.get("type") != "passphrase" or parts[0] != _VERSION:
        return None
    return base64.b64decode(parts[1])


def _sealed(value: Any) -> Iterator[str]:
    match value:
        case dict() if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            if isinstance(value.get("ciphertext"), str):
                yield value["ciphertext"]
        case dict():
            for member in value.values():
                yield from _sealed(member)
        case list():
            for member in value:
                yield from _sealed(member)
        case _:
            return


def _opened(key: AESGCM, ciphertext: str) -> bytes | None:
    """`v1:NONCE:SEALED` in the clear; None for another form or key."""
    version, *parts = ciphertext.split(":")
    if version != _VERSION or len(parts) != len(("nonce", "sealed")):
        return None
    nonce, sealed = map(base64.b64decode, parts)
    try:
        return key.decrypt(nonce, sealed, None)
    except InvalidTag:
        return None
