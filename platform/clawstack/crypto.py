"""Envelope encryption: a master key wraps one data key per tenant, a data key seals that tenant's secrets.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce per seal; the associated data binds a ciphertext to the tenant
and name it was made for, so a row copied to another tenant does not open. Sealed form: version byte 1, nonce,
ciphertext and tag.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from typing_extensions import override

from clawstack.errors import NeedsAttentionError, PermanentError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


class DataKey:
    """A symmetric key that seals and opens values. Its `repr` never shows the key."""

    def __init__(self, key: bytes) -> None:
        """`key`: exactly 32 bytes."""
        if len(key) != KEY_BYTES:
            raise PermanentError(f"An encryption key has {KEY_BYTES} bytes, this one has {len(key)}.", code="bad_key")
        self._key = key

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fingerprint()})"

    def fingerprint(self) -> str:
        """Eight hex digits that name the key without telling it."""
        return hashlib.sha256(b"clawstack fingerprint" + self._key).hexdigest()[:8]

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Encrypt for `context` (for example "tenant:<id>:proxy_token"); the same context opens it."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self._key).encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt; raises PermanentError when key, context or ciphertext do not belong together."""
        if sealed[:1] != _VERSION:
            raise PermanentError(f"A sealed value for {context} has an unknown version.", code="unsealing_failed")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self._key).decrypt(nonce, ciphertext, context.encode())
        except InvalidTag as error:
            raise PermanentError(
                f"A sealed value for {context} does not open with key {self.fingerprint()}.",
                code="unsealing_failed",
                remedy="Check that CLAWSTACK_MASTER_KEY is the key that this database was made with.",
            ) from error


class MasterKey(DataKey):
    """The key that wraps data keys. It comes from a file, the environment or a KMS, never from the database."""

    def new_data_key(self) -> bytes:
        """Random key material for one tenant; keep it only wrapped."""
        return secrets.token_bytes(KEY_BYTES)

    def wrap(self, key: bytes, *, tenant: str) -> bytes:
        """The tenant's data key in the form that is stored."""
        return self.seal(key, context=f"data-key:{tenant}")

    def unwrap(self, wrapped: bytes, *, tenant: str) -> DataKey:
        """The tenant's data key, ready to use."""
        return DataKey(self.open(wrapped, context=f"data-key:{tenant}"))


def parse_master_key(text: str) -> MasterKey:
    """A master key from its base64 form (32 bytes); raises NeedsAttentionError with the command that makes one."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise NeedsAttentionError(
            "CLAWSTACK_MASTER_KEY is not 32 bytes in base64.",
            code="bad_master_key",
            remedy="Make one with: python3 -c 'import secrets,base64;print(base64.b64encode(secrets.token_bytes(32)).decode())'",
        )
    return MasterKey(raw)


def load_or_create_master_key(path: Path) -> MasterKey:
    """The key in `path`; made there with mode 0600 when absent (development only: production passes it from outside).

    Two processes that start at once end with the same key: the file appears complete, by link, or not at all.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read_master_key(path)


def read_master_key(path: Path) -> MasterKey:
    """The key in `path`; refuses a missing file and one that others may read."""
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text()
    except OSError as error:
        raise NeedsAttentionError(
            f"The master key file {path} cannot be read ({error.strerror}).",
            code="bad_master_key",
            remedy="Set CLAWSTACK_MASTER_KEY or CLAWSTACK_MASTER_KEY_FILE.",
        ) from error
    if mode & 0o077:
        raise NeedsAttentionError(
            f"The master key file {path} has mode {mode:04o}; others on this machine could read it.",
            code="bad_master_key",
            remedy=f"chmod 600 {path}",
        )
    return parse_master_key(text)
