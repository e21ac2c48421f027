"""A small Kubernetes API server for tests: what server-side apply, quotas of patience and deletion look like from outside.

Source: Kubernetes API concepts, server-side apply. It knows field owners (leaf by leaf), refuses what another owner
holds, lets go of what an owner no longer names, answers with `Status` objects, and can be told to be slow or busy.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tests.waiting import patient

Object = dict[str, Any]


@dataclass
class Cluster:
    """Everything the server holds, and what it was asked."""

    objects: dict[str, Object] = field(default_factory=dict)
    owned: dict[str, dict[str, Object]] = field(default_factory=dict)
    calls: list[tuple[str, str, Object | None]] = field(default_factory=list)
    trouble: list[tuple[int, Object, dict[str, str]]] = field(default_factory=list)
    """Answers that are given first, one per call."""
    lingering: int = 0
    """How many reads an object survives its deletion."""
    port: int = 0
    clients: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0

    def write_as(self, manager: str, path: str, change: Object) -> None:
        """Somebody else edits an object by hand."""
        mine = self.owned[path].setdefault(manager, {})
        _merge(mine, change)
        for owner, content in self.owned[path].items():
            if owner != manager:
                for leaf in list(_leaves(change)):
                    _drop(content, leaf)
        self._settle(path)

    def _settle(self, path: str) -> None:
        live: Object = {}
        for content in self.owned[path].values():
            _merge(live, json.loads(json.dumps(content)))
        before = self.objects.get(path, {})
        live["metadata"].update(
            {key: before.get("metadata", {}).get(key, value) for key, value in self._added(path).items()}
        )
        live["metadata"]["managedFields"] = [{"manager": owner} for owner in self.owned[path]]
        live["metadata"]["resourceVersion"] = str(len(self.calls))
        live["status"] = {"seen": True}
        self.objects[path] = _canonical(live)

    def _added(self, path: str) -> Object:
        self.made += 1
        return {"uid": f"uid-{self.made}", "creationTimestamp": "2026-11-21T00:00:00Z"}

    def apply(self, path: str, query: dict[str, list[str]], body: Object) -> tuple[int, Object]:
        manager, force = query["fieldManager"][0], query["force"] == ["true"]
        namespace = body["metadata"].get("namespace")
        if namespace and f"/api/v1/namespaces/{namespace}" not in self.objects:
            return status(404, "NotFound", f'namespaces "{namespace}" not found')
        owners = self.owned.setdefault(path, {})
        taken = [
            (owner, leaf)
            for owner, content in owners.items()
            if owner != manager
            for leaf, value in _leaves(content).items()
            if leaf in _leaves(body) and _leaves(body)[leaf] != value
        ]
        if taken and not force:
            causes = [
                {"reason": "FieldManagerConflict", "field": "." + ".".join(leaf), "message": f'conflict with "{owner}"'}
                for owner, leaf in taken
            ]
            return status(409, "Conflict", f"Apply failed with {len(causes)} conflict", causes)
        for owner, leaf in taken:
            _drop(owners[owner], leaf)
        owners[manager] = body
        fresh = path not in self.objects
        self._settle(path)
        return (201 if fresh else 200), self.objects[path]

    def delete(self, path: str, body: Object) -> tuple[int, Object]:
        live = self.objects.get(path)
        if live is None:
            return status(404, "NotFound", "not found")
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted and wanted != live["metadata"]["uid"]:
            return status(409, "Conflict", "the UID in the precondition does not match")
        if self.lingering:
            live["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
        else:
            self.forget(path)
        return 200, status(200, "", "")[1]

    def read(self, path: str) -> tuple[int, Object]:
        live = self.objects.get(path)
        if live is None:
            return status(404, "NotFound", "not found")
        if "deletionTimestamp" in live["metadata"]:
            if self.lingering <= 0:
                self.forget(path)
                return status(404, "NotFound", "not found")
            self.lingering -= 1
        return 200, live

    def forget(self, path: str) -> None:
        self.objects.pop(path, None)
        self.owned.pop(path, None)


def status(code: int, reason: str, message: str, causes: list[Object] | None = None) -> tuple[int, Object]:
    body: Object = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return code, {**body, "details": {"causes": causes}} if causes else body


def serve(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster behind HTTP on a free loopback port, until the generator goes on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            with cluster.lock:
                cluster.calls.append((self.command, self.path, body))
                code, answer, headers = self._decide(parts.path, parse_qs(parts.query), body)
            text = json.dumps(answer).encode()
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def _decide(self, path: str, query: Any, body: Any) -> tuple[int, Object, dict[str, str]]:
            if cluster.trouble:
                return cluster.trouble.pop(0)
            if self.command == "PATCH":
                if self.headers["Content-Type"] != "application/apply-patch+yaml":
                    return (*status(415, "UnsupportedMediaType", "not server-side apply"), {})
                return (*cluster.apply(path, query, body), {})
            if self.command == "DELETE":
                return (*cluster.delete(path, body), {})
            return (*cluster.read(path), {})

        do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's own names

        @override
        def log_message(self, *_: Any) -> None:
            """Tests look at `calls`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cluster.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join(patient(5))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict) and value:
        return {leaf: inner for key, member in value.items() for leaf, inner in _leaves(member, (*path, key)).items()}
    return {path: value}


def _drop(content: Object, leaf: tuple[str, ...]) -> None:
    *way, last = leaf
    for step in way:
        content = content.get(step, {})
    content.pop(last, None)


def _merge(into: Object, change: Object) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _canonical(value: Any) -> Any:
    """The server writes quantities its own way, and leaves out what is false or empty."""
    if isinstance(value, dict):
        return {key: _canonical(member) for key, member in value.items() if member is not False and member != []}
    if isinstance(value, list):
        return [_canonical(member) for member in value]
    return "2Gi" if value == "2048Mi" else value
