"""A running process: the open platform, web server and worker in one event loop, ended together."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from typing_extensions import override

from clawstack import logs
from clawstack.background import background
from clawstack.errors import NeedsAttentionError
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.cells.substrates.registry import check_walls
from services.kit.jobs.metrics import JobMetrics
from services.kit.jobs.worker import run_worker
from services.kit.parts import Part
from services.run.context import ProcessPlatform
from services.run.factory import build_parts, create_app
from services.run.opening import opened_platform
from services.run.roles import Role
from services.run.serving import server_config
from services.web.api import health

log = logs.get_logger(__name__)

_LETTING_GO_SECONDS = 120
"""A worker lets go of its cells first: `operation_grace`, twice over, and what the engine needs to end."""


class _Server(uvicorn.Server):
    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            # uvicorn would raise the signal again once it has ended: as a second order to end it would cut short the
            # worker, which is still letting go of its cells, and SIGTERM kills a process that has no handler for it.
            self._captured_signals.clear()


async def serve(settings: Settings, redactor: Redactor, roles: frozenset[Role]) -> None:
    """Run these roles until SIGINT or SIGTERM. Raises NeedsAttentionError when the port is taken, or as `check_walls`."""
    listener = _listen(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    async with opened_platform(settings, redactor) as platform:
        if Role.WORKER in roles:  # process cells live where it runs
            await asyncio.to_thread(check_walls, settings)
        parts = build_parts(platform, roles)
        app = create_app(platform, parts)
        app.include_router(health.router)
        server = _Server(server_config(app, settings))
        async with AsyncExitStack() as stack:
            if Role.WORKER in roles:
                # A worker runs the jobs of every noun, also of those whose routes another process serves.
                others = build_parts(platform, frozenset(Role) - roles)
                await stack.enter_async_context(_worker(platform, parts + others))
            await asyncio.sleep(0)  # a Ctrl-C that came meanwhile counts here, not inside uvicorn's start
            log.info("serving", url=settings.base_url(), roles=sorted(roles))
            await server.serve(sockets=[listener])


@asynccontextmanager
async def _worker(platform: ProcessPlatform, parts: tuple[Part, ...]) -> AsyncIterator[None]:
    name = f"{socket.gethostname()}-{os.getpid()}"
    work = run_worker(
        platform.database.url,
        parts,
        name=name,
        concurrency=platform.settings.worker_concurrency + 4,
        metrics=JobMetrics(platform.metrics),
    )
    async with background(work, name="worker", patience=_LETTING_GO_SECONDS):
        yield


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
