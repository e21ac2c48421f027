"""Encryption of an archive in chunks, so that memory stays bounded and no chunk can be cut off, moved or swapped.

Format (all integers big-endian):

- header: 8 bytes `CLAWBAK1`, 16 bytes salt, 7 bytes nonce prefix;
- then chunks: AES-256-GCM over 1 MiB of plaintext (the last one shorter, possibly empty), each with its 16-byte tag.

The key of a file is HKDF-SHA256(tenant's backup key, salt, info "clawstack backup v1:<slug>"). The nonce of chunk n is
prefix | n (4 bytes) | 1 for the last chunk, else 0; the associated data is the header. This is the STREAM construction
(Hoang, Reyhanitabar, Rogaway, Vizar 2015): a truncated or reordered file does not open.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typing_extensions import override

from clawstack.errors import PermanentError

MAGIC: Final = b"CLAWBAK1"
CHUNK: Final = 1024 * 1024
_SALT: Final = 16
_PREFIX: Final = 7
_TAG: Final = 16
_HEADER: Final = len(MAGIC) + _SALT + _PREFIX


class Sealer:
    """Encrypts to `target` what is written to it, a chunk at a time; `close` ends the archive."""

    def __init__(self, target: BinaryIO, *, key: bytes, slug: str) -> None:
        self._target = target
        self._header = MAGIC + os.urandom(_SALT + _PREFIX)
        self._cipher = _cipher(self._header, key, slug)
        self._waiting = bytearray()
        self._number = 0
        target.write(self._header)

    def write(self, data: bytes) -> int:
        """Take `data` in; how much that was."""
        self._waiting += data
        # The last chunk bears a mark, so a full one is kept until something follows it.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Write the last chunk; without it the archive does not open."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        nonce = _nonce(self._header, self._number, last=last)
        self._target.write(self._cipher.encrypt(nonce, chunk, self._header))
        self._number += 1


class Opened(io.RawIOBase):
    """Reads the plain content of a sealed archive; raises PermanentError as `decrypt` does."""

    def __init__(self, source: BinaryIO, *, key: bytes, slug: str) -> None:
        super().__init__()
        self._chunks = opened(source, key=key, slug=slug)
        self._rest = b""

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def encrypt(source: BinaryIO, target: BinaryIO, *, key: bytes, slug: str) -> None:
    """Everything that `source` holds, encrypted to `target`."""
    sealer = Sealer(target, key=key, slug=slug)
    while chunk := source.read(CHUNK):
        sealer.write(chunk)
    sealer.close()


def decrypt(source: BinaryIO, target: BinaryIO, *, key: bytes, slug: str) -> None:
    """The inverse; raises PermanentError when key, slug or content do not belong together.

    What was written to `target` before the error must not be used.
    """
    for chunk in opened(source, key=key, slug=slug):
        taken = target.write(chunk)  # not `writelines`: a target that counts or hashes overrides `write` alone
        if taken != len(chunk):
            raise PermanentError(f"Only {taken} of {len(chunk)} bytes were taken.", code="backup_failed")


def opened(source: BinaryIO, *, key: bytes, slug: str) -> Iterator[bytes]:
    """The plain content, a chunk at a time; raises as `decrypt` does, when it comes to the place."""
    header = source.read(_HEADER)
    if len(header) != _HEADER or not header.startswith(MAGIC):
        raise PermanentError("This is not an encrypted clawstack backup.", code="bad_backup")
    cipher = _cipher(header, key, slug)
    for number, (chunk, last) in enumerate(_chunks(source, CHUNK + _TAG)):
        try:
            yield cipher.decrypt(_nonce(header, number, last=last), chunk, header)
        except InvalidTag:
            raise PermanentError(
                f"The backup of {slug} does not open: it is damaged, incomplete or of another tenant.",
                code="bad_backup",
                remedy="Use the archive before it, and check the storage.",
            ) from None


def _chunks(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Full chunks and one last, shorter one, which may be empty; says which is the last."""
    ahead = _read(source, size)
    while True:
        chunk, ahead = ahead, _read(source, size)
        yield chunk, not ahead
        if not ahead:
            return


def _read(source: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _nonce(header: bytes, number: int, *, last: bool) -> bytes:
    return header[-_PREFIX:] + number.to_bytes(4, "big") + bytes([last])


def _cipher(header: bytes, key: bytes, slug: str) -> AESGCM:
    salt = header[len(MAGIC) : len(MAGIC) + _SALT]
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"clawstack backup v1:" + slug.encode()).derive(key)
    return AESGCM(derived)
