"""A running process: database, migrations, web server and worker in one event loop, ended together."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from clawstack import logs
from clawstack.errors import NeedsAttentionError
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.context import Platform
from services.database import migrate
from services.database.embedded import EmbeddedPostgres
from services.factory import VERSION, build_others, build_parts, build_platform, create_app
from services.health.endpoints import create_router as create_health_router
from services.jobs.worker import run_worker
from services.parts import Part
from services.roles import Role
from toolchain.paths import cache_root

log = logs.get_logger(__name__)

_WATCH_SECONDS = 0.5
_PASSABLE = 0o711
_CLOSED = ("state", "pulumi", "backups", "supervisor", "postgres.holders")
_SHUTDOWN_SECONDS = 3
"""Long polls and event streams are cut after this; their clients come back."""


@asynccontextmanager
async def opened_platform(settings: Settings, redactor: Redactor) -> AsyncIterator[Platform]:
    """A migrated database and everything that nouns need; the embedded server is started when no URL is set."""
    prepare_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            server = EmbeddedPostgres(data_dir=settings.data_dir, cache_dir=settings.cache_dir or cache_root())
            url = await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
            await stack.enter_async_context(_task(_keep_running(server), name="embedded-postgres"))
        else:
            url = settings.database_url.get_secret_value()
        await asyncio.to_thread(migrate.upgrade, url)
        platform = build_platform(settings, database_url=url, redactor=redactor)
        stack.push_async_callback(platform.database.close)
        yield platform


def prepare_data_dir(folder: Path) -> None:
    """Cells' accounts pass through the data folder to their own; everything else in it is closed to them."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_PASSABLE)
    (folder / "cells").mkdir(exist_ok=True)
    (folder / "cells").chmod(_PASSABLE)
    for name in _CLOSED:
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o700)


async def serve(settings: Settings, redactor: Redactor, roles: frozenset[Role]) -> None:
    """Run these roles until SIGINT or SIGTERM. Raises NeedsAttentionError when the port is taken."""
    listener = _listen(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    async with opened_platform(settings, redactor) as platform:
        parts_by_role = build_parts(platform, roles)
        parts = tuple(part for role in sorted(parts_by_role) for part in parts_by_role[role])
        app = create_app(platform, parts)
        app.include_router(create_health_router(database=platform.database, metrics=platform.metrics, version=VERSION))
        server = uvicorn.Server(_uvicorn_config(app))
        async with AsyncExitStack() as stack:
            if Role.WORKER in roles:
                await stack.enter_async_context(_worker(platform, parts))
            log.info("serving", url=settings.base_url(), roles=sorted(roles))
            await server.serve(sockets=[listener])


@asynccontextmanager
async def _worker(platform: Platform, parts: tuple[Part, ...]) -> AsyncIterator[None]:
    name = f"{socket.gethostname()}-{os.getpid()}"
    everything = _with_all_jobs(platform, parts)
    work = run_worker(
        platform.database.url, everything, name=name, concurrency=platform.settings.worker_concurrency + 4
    )
    async with _task(work, name="worker"):
        yield


def _with_all_jobs(platform: Platform, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """A worker runs the jobs of every noun, also of those whose routes another process serves."""
    return parts + build_others(platform, {part.name for part in parts})


@asynccontextmanager
async def _task(work: Coroutine[Any, Any, None], *, name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_running(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            await asyncio.to_thread(server.ensure_running)
        except Exception:  # the watch itself must outlive whatever made one start fail
            log.exception("postgres_not_started")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named: with 0 asyncio leaves Nagle's algorithm on, and answers wait up to 40 ms (measured).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise NeedsAttentionError(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}).",
            code="port_taken",
            remedy="Stop what uses it, or set CLAWSTACK_PORT to another port.",
        ) from error
    return listener


def _uvicorn_config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # FastAPI is an ASGI application
        log_config=None,
        access_log=False,  # paths of the Telegram router carry channel tokens
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        lifespan="on",
    )
