"""An S3-compatible store, through obstore: typed, uploads in parts, no dependencies of its own.

Its blocking functions are called in threads: its own asynchronous ones end the whole process with SIGABRT now and then when
the interpreter ends soon after them (seen in one of three runs of a test).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store as Bucket
from pydantic import SecretStr
from typing_extensions import override

from clawstack import errors
from services.business.backups.stores.protocol import BLOCK, BackupStore, Stored

if TYPE_CHECKING:
    from obstore.store import S3Config

_PART: Final = 8 * 1024 * 1024
"""Bytes of one part: S3 takes 10,000 of them, so 80 GB an archive."""
_PARTS_AT_ONCE: Final = 3
_RETRIES: Final = 4
_RETRY_SECONDS: Final = 60
_LATER: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class S3Place:
    """One bucket and how to talk to it."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    """None: AWS itself."""
    region: str = "us-east-1"
    virtual_hosts: bool = False
    """The bucket's name is part of the host's: what AWS prefers and others often lack."""
    access_key: str | None = None
    """None: what the standard `AWS_*` variables or the machine's role say."""
    secret_key: SecretStr | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`, for people."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class S3Store(BackupStore):
    """Objects below one prefix of a bucket."""

    def __init__(self, place: S3Place) -> None:
        self._place = place
        self._bucket = _open(place)

    @override
    def location(self, key: str) -> str:
        return f"{self._place.url}/{key}"

    @override
    def key_of(self, location: str) -> str | None:
        root = self._place.url + "/"
        return location.removeprefix(root) if location.startswith(root) else None

    @override
    async def put(self, key: str, source: Path) -> None:
        with self._told(key):
            await asyncio.to_thread(
                obstore.put, self._bucket, key, source, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE
            )

    @override
    async def read(self, key: str) -> AsyncIterator[bytes]:
        with self._told(key):
            answer = await asyncio.to_thread(obstore.get, self._bucket, key)
            blocks = iter(answer.stream(min_chunk_size=BLOCK))
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                yield bytes(block)

    @override
    async def delete(self, key: str) -> None:
        try:
            with self._told(key):
                await asyncio.to_thread(obstore.delete, self._bucket, key)
        except errors.NotFoundError:
            return

    @override
    async def files(self, prefix: str = "") -> list[Stored]:
        with self._told(prefix):
            return sorted(await asyncio.to_thread(self._listed, prefix))

    def _listed(self, prefix: str) -> list[Stored]:
        pages = obstore.list(self._bucket, prefix or None)
        return [Stored(key=entry["path"], size=entry["size"]) for page in pages for entry in page]

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Errors of the library in this project's words; the library's own name the request, never the keys."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:  # the library raises now one, now the other
            raise errors.NotFoundError(
                f"The backup at {self.location(key)} is not there any more.", code="backup_missing"
            ) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise errors.NeedsAttentionError(
                f"The store of backups {self._place.url} refuses these credentials.",
                code="backup_store_refused",
                remedy="Correct CLAWSTACK_BACKUP_ACCESS_KEY and CLAWSTACK_BACKUP_SECRET_KEY, or their permissions.",
            ) from error
        except BaseError as error:
            raise errors.TemporaryError(
                f"The store of backups {self._place.url} does not answer as it should: {_short(error)}.",
                code="backup_store_unavailable",
                retry_after=_LATER,
                remedy="It is tried again; archives wait on this machine meanwhile.",
            ) from error


def _open(place: S3Place) -> Bucket:
    config: S3Config = {"region": place.region, "virtual_hosted_style_request": place.virtual_hosts}
    if place.access_key is not None and place.secret_key is not None:
        config["access_key_id"] = place.access_key
        config["secret_access_key"] = place.secret_key.get_secret_value()
    if place.endpoint is not None:
        config["endpoint"] = place.endpoint
    return Bucket(
        place.bucket,
        prefix=place.prefix or None,
        config=config,
        client_options={
            "allow_http": (place.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=10),
            "timeout": timedelta(minutes=5),
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
    )


def _short(error: BaseError) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")
