"""How long a platform lets a visitor wait while it is attacked, the machine's own slowness taken away."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_PAUSE = 0.1
_LIMIT = 30.0


class _Control(http.server.BaseHTTPRequestHandler):
    """Answers at once: what it takes longer is the machine's doing, not the platform's."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@dataclass(kw_only=True)
class Pulse:
    """What was seen; `longest` is the platform's own part of the worst wait, in seconds."""

    longest: float = 0.0
    asked: int = 0
    failed: list[str] = field(default_factory=list)


@contextlib.contextmanager
def pulse(port: int, path: str = "/readyz") -> Iterator[Pulse]:
    """Ask for `path` ten times a second, on a new connection each time, until the block ends."""
    seen, over = Pulse(), threading.Event()
    control = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Control)
    threads = [
        threading.Thread(target=control.serve_forever, daemon=True),
        threading.Thread(target=_ask_again, args=(seen, port, path, control.server_port, over), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        threads[1].join()
        control.shutdown()
        control.server_close()


def _ask_again(seen: Pulse, port: int, path: str, control: int, over: threading.Event) -> None:
    while not over.wait(_PAUSE):
        own, _ = _asked(control, "/")
        took, trouble = _asked(port, path)
        seen.asked += 1
        seen.longest = max(seen.longest, took - own)
        if trouble:
            seen.failed.append(trouble)


def _asked(port: int, path: str) -> tuple[float, str]:
    began = time.monotonic()
    trouble = ""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT)
    try:
        client.request("GET", path)
        status = client.getresponse().status
        if status >= http.HTTPStatus.BAD_REQUEST:
            trouble = f"answered {status}"
    except (OSError, http.client.HTTPException) as error:
        trouble = repr(error)
    finally:
        client.close()
    return time.monotonic() - began, trouble
