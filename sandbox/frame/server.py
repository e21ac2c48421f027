"""One uvicorn that says when it is ready, keeps quiet, and stops at once when told to."""

import contextlib
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from typing_extensions import override

from sandbox.frame.breaking import BreakableConnections
from sandbox.frame.files import write_whole

GRACE_SECONDS = 2  # for answers under way; streams and long polls are ended by then


class QuietServer(uvicorn.Server):
    """Serves an app on a socket that listens already. Signals are the caller's business; stop() is what they call."""

    def __init__(
        self, app: Starlette, listener: socket.socket, *, told_when_ready: dict[str, Any], ready_file: Path | None
    ) -> None:
        config = uvicorn.Config(
            BreakableConnections(app),
            log_level="warning",
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
        )
        super().__init__(config)
        self._app = app
        self._listener = listener
        self._told_when_ready = told_when_ready
        self._ready_file = ready_file

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._tell()

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again after shutdown and spoil the exit status."""
        yield

    def stop(self) -> None:
        """End long polls, then the server."""
        self._app.state.close()
        # From here on uvicorn would report as errors that it cancels what somebody still waits for.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.should_exit = True

    def _tell(self) -> None:
        line = json.dumps(self._told_when_ready)
        if self._ready_file is not None:
            write_whole(self._ready_file, line + "\n")
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(line + os.linesep)
            sys.stdout.flush()

    @property
    def listener(self) -> socket.socket:
        """The socket."""
        return self._listener


async def serve(server: QuietServer) -> None:
    """Serve until stop() is called."""
    await server.serve(sockets=[server.listener])
