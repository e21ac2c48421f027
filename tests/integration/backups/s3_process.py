"""An S3 server in a process of its own, with faults on demand: `python -m tests.integration.backups.s3_process`.

Prints its port. `PUT /_fault/<name>` sets a fault, `none` ends it: `damage` changes a byte of what is uploaded, `refuse`
answers 503, `deny` answers 403.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

StartResponse = Callable[..., Any]
_ANSWERS = {"refuse": "503 Slow Down", "deny": "403 Forbidden"}
_DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


class Faulty:
    """The server behind a switch."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._fault = "none"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/_fault/"):
            self._fault = path.rsplit("/", 1)[-1]
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        if self._fault in _ANSWERS:
            start_response(_ANSWERS[self._fault], [("Content-Length", str(len(_DENIED)))])
            return [_DENIED]
        if self._fault == "damage" and environ["REQUEST_METHOD"] == "PUT":
            body = bytearray(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            body[len(body) // 2] ^= 1
            environ["wsgi.input"] = io.BytesIO(bytes(body))
        return self._app(environ, start_response)


def main() -> None:
    app = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
