"""A small registry on loopback, as https://github.com/opencontainers/distribution-spec has it, with tokens if asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-stand-in"


@dataclass(kw_only=True)
class Store:
    """What was pushed, and what tests want to see or to spoil."""

    password: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """Names of manifests as they came."""
    troubles: int = 0
    """So many requests are answered with 503 first."""
    address: str = ""


@contextmanager
def registry(*, password: str = "", port: int = 0) -> Iterator[Store]:
    store = Store(password=password)
    handler = type("Handler", (_Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    store.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *arguments: object) -> None:
        """Silent."""

    def _serve(self) -> None:
        place = urlsplit(self.path)
        body = self._body()
        self.store.asked.append(f"{self.command} {place.path}")
        if self._is_turned_away(place.path):
            return None
        found = re.fullmatch(r"/v2/(.+)/(blobs|manifests)/(.*)", place.path)
        if found is None:
            return self._answer(404)
        if found[2] == "manifests":
            return self._manifest(found[3], body)
        return self._blob(found[1], found[3], parse_qs(place.query), body)

    def _is_turned_away(self, path: str) -> bool:
        if self.store.troubles:
            self.store.troubles -= 1
            self._answer(503)
        elif path == "/token":
            self._token()
        elif self.store.password and self.headers.get("authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="http://{self.store.address}/token",service="stand-in"'
            self._answer(401, headers={"www-authenticate": realm})
        else:
            return False
        return True

    def _token(self) -> None:
        given = base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic ") or "").decode()
        if given != f"pusher:{self.store.password}":
            return self._answer(401)
        return self._answer(200, json.dumps({"token": TOKEN}).encode())

    def _manifest(self, name: str, body: bytes) -> None:
        if self.command == "PUT":
            own = digest(body)
            said = json.loads(body)
            missing = [
                part["digest"] for part in (said["config"], *said["layers"]) if part["digest"] not in self.store.blobs
            ]
            if missing or (name.startswith("sha256:") and name != own):
                return self._answer(400, json.dumps({"errors": [{"code": "MANIFEST_INVALID"}]}).encode())
            self.store.manifests[name] = self.store.manifests[own] = body
            self.store.order.append(name)
            return self._answer(201, headers={"docker-content-digest": own})
        content = self.store.manifests.get(name)
        if content is None:
            return self._answer(404)
        kind = json.loads(content)["mediaType"]
        return self._answer(200, content, headers={"content-type": kind, "docker-content-digest": digest(content)})

    def _blob(self, repository: str, name: str, query: dict[str, list[str]], body: bytes) -> None:
        if self.command == "POST":
            return self._answer(202, headers={"location": f"/v2/{repository}/blobs/uploads/1?state=x"})
        if self.command == "PUT":
            [wanted] = query["digest"]
            if digest(body) != wanted:
                return self._answer(400)
            self.store.blobs[wanted] = body
            return self._answer(201)
        content = self.store.blobs.get(name)
        return self._answer(404) if content is None else self._answer(200, content)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _answer(self, status: int, content: bytes = b"", *, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
