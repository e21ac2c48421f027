"""Opening the platform: data folder, database, migrations. What a command needs, without web server, worker or parts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
from alembic.util.exc import CommandError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from clawstack import logs
from clawstack.background import background
from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.kit.database.embedded import EmbeddedPostgres
from services.run.context import ProcessPlatform
from services.run.factory import build_platform
from services.tables import migrate
from toolchain.ground.paths import cache_root

log = logs.get_logger(__name__)

_WATCH_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = "5"
_PASSABLE: Final = 0o711
_CLOSED: Final = ("state", "pulumi", "backups", "supervisor", "postgres.holders")


@asynccontextmanager
async def opened_platform(settings: Settings, redactor: Redactor) -> AsyncIterator[ProcessPlatform]:
    """A migrated database and everything that nouns need; the embedded server is started when no URL is set.

    Raises NeedsAttentionError for a data folder or URL that cannot be used, TemporaryError when nothing answers there.
    """
    prepare_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            server = EmbeddedPostgres(data_dir=settings.data_dir, cache_dir=settings.cache_dir or cache_root())
            url = await stack.enter_async_context(_started(server))
            await stack.enter_async_context(background(_keep_running(server), name="embedded-postgres"))
        else:
            url = settings.database_url.get_secret_value()
        await _migrate(url)
        platform = build_platform(settings, database_url=url, redactor=redactor)
        stack.push_async_callback(platform.close)
        yield platform


def prepare_data_dir(folder: Path) -> None:
    """Cells' accounts pass through the data folder to their own; everything else in it is closed to them.

    Raises NeedsAttentionError when the folder cannot be made or is not ours.
    """
    try:
        _make(folder, _PASSABLE)
        _make(folder / "cells", _PASSABLE)
        for name in _CLOSED:
            _make(folder / name, 0o700)
    except OSError as error:
        raise NeedsAttentionError(
            f"The data folder {folder} cannot be used: {error.strerror} ({error.filename}).",
            code="bad_data_folder",
            remedy="Set CLAWSTACK_DATA_DIR to a folder of your own.",
        ) from error


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        folder.chmod(mode)
    except PermissionError:
        # In a pod a volume's own folder belongs to root and is open to the pod's group (fsGroup).
        if not (_is_mounted(folder) and os.access(folder, os.W_OK | os.X_OK)):
            raise


def _is_mounted(folder: Path) -> bool:
    # Not `Path.is_mount`: it misses folders that are mounted from the same disk.
    return any(Path(mount.mountpoint) == folder for mount in psutil.disk_partitions(all=True))


@asynccontextmanager
async def _started(server: EmbeddedPostgres) -> AsyncIterator[str]:
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    try:
        # Shielded: a thread cannot be cancelled. Ctrl-C while it starts the server must wait for it, then stop it.
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting])
        await asyncio.to_thread(server.stop)


async def _migrate(url: str) -> None:
    try:
        parsed = make_url(url)
        place = f"{parsed.host or 'its socket'}:{parsed.port or 5432}/{parsed.database or ''}"
        bounded = parsed.update_query_dict({"connect_timeout": _CONNECT_SECONDS, **parsed.query})
        await asyncio.to_thread(migrate.upgrade, bounded.render_as_string(hide_password=False))
    except (ArgumentError, ValueError):
        raise NeedsAttentionError(
            "CLAWSTACK_DATABASE_URL is not the URL of a database.",
            code="bad_settings",
            remedy="Its form is postgresql://USER:PASSWORD@HOST:PORT/NAME; unset, an embedded database is used.",
        ) from None
    except OperationalError as error:
        why = str(error.orig).strip().split("\n", 1)[0]
        raise TemporaryError(
            f"The database at {place} cannot be used: {why}.",
            code="database_unavailable",
            remedy="Start it, or correct CLAWSTACK_DATABASE_URL.",
        ) from error
    except CommandError as error:
        raise NeedsAttentionError(
            f"The database at {place} has a schema that this version does not know ({error}).",
            code="unknown_schema",
            remedy="Run the version of clawstack that made it, or a newer one.",
        ) from error


async def _keep_running(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            await asyncio.to_thread(server.ensure_running)
        except Exception:  # the watch itself must outlive whatever made one start fail
            log.exception("postgres_not_started")
