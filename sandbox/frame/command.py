"""What the commands that serve stand-ins share: arguments, the address, and the end by a signal."""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette

from sandbox.frame.server import QuietServer, serve
from sandbox.frame.values import Json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to listen, where to keep state, and where to say that the server is ready."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, default=None, help="folder for state that survives a restart")
    parser.add_argument("--ready-file", type=Path, help="file that gets the ready line, too")


def run(host: str, port: int, ready_file: Path | None, prepare: Callable[[int], tuple[Starlette, Json]]) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status, 1 when the address is taken.

    `prepare` gets the port that was really taken, and returns the app and what the ready line says.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {host}:{port}: {error}. Choose another --port.\n")
        return 1
    with listener:
        app, told = prepare(listener.getsockname()[1])
        asyncio.run(_until_stopped(QuietServer(app, listener, told_when_ready=told, ready_file=ready_file)))
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises OSError when the address is taken."""
    # The protocol is named: with 0 asyncio leaves Nagle's algorithm on, and answers wait up to 40 ms (measured).
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


async def _until_stopped(server: QuietServer) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, server.stop)
    await serve(server)
