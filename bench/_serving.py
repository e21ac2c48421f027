"""Serving an application in a process of its own: picks a port, prints it as the first line, ends on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psutil
import uvicorn
import uvloop

_START_SECONDS = 60
_END_SECONDS = 15


def serve(app: Any, *, loop: Literal["asyncio", "uvloop"]) -> None:
    """Serve until the process is ended."""
    runner = uvloop.run if loop == "uvloop" else asyncio.run
    runner(_serve(app))


async def _serve(app: Any) -> None:
    # With protocol 0 asyncio would not switch Nagle's algorithm off: 40 ms for every answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        await uvicorn.Server(config).serve(sockets=[listener])


@contextmanager
def started(module: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[tuple[int, psutil.Process]]:
    """Run a module that calls `serve`; its port and process."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.strip().isdigit():
            raise RuntimeError(f"{module} did not start")
        yield int(line), psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
