"""What every store of archives can do."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

BLOCK: Final = 1024 * 1024
"""Bytes that are in memory at once where a file is read or written."""


@dataclass(frozen=True, kw_only=True, order=True)
class Stored:
    """One file in a store."""

    key: str
    size: int


class BackupStore(Protocol):
    """Files under keys `<slug>/<name>`. All methods may be repeated; memory stays bounded whatever a file's size.

    Raises TemporaryError where the store cannot be reached, NeedsAttentionError where it refuses, NotFoundError for a
    key that is not there.
    """

    def location(self, key: str) -> str:
        """Where people find the file: a path or a URL, without credentials."""
        ...

    def key_of(self, location: str) -> str | None:
        """The inverse; None for a location outside this store."""
        ...

    async def put(self, key: str, source: Path) -> None:
        """Keep the file; nobody ever sees half of it. One that is there already is replaced."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The file in blocks."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the file; one that is not there is fine."""
        ...

    async def files(self, prefix: str = "") -> list[Stored]:
        """All files whose key begins with the folder `prefix`, in order."""
        ...


async def digest(store: BackupStore, key: str) -> str:
    """SHA-256 of what the store gives back, in hex: the only proof that it has the file."""
    found = hashlib.sha256()
    async for block in store.read(key):
        found.update(block)
    return found.hexdigest()
