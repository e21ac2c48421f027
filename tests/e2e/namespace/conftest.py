"""A real node, and a platform beside it that cells may call."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from tenants.namespace.settings import NamespaceSettings
from tests.e2e.cluster_fixture import Hand, test_cluster
from tests.e2e.namespace.cells import Cells
from toolchain.cluster.running import TestCluster

__all__ = ["test_cluster"]


@pytest.fixture(scope="session")
def platform_port(test_cluster: TestCluster) -> Iterator[int]:
    """Answers every call as Telegram does when nobody wrote anything."""

    class Answer(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            me = {"id": 1, "is_bot": True, "first_name": "Claw", "username": "claw_bot"}
            result: Any = me if self.path.endswith("/getMe") else [] if self.path.endswith("/getUpdates") else True
            body = json.dumps({"ok": True, "result": result}).encode()
            if self.path.endswith("/getUpdates"):
                threading.Event().wait(1)  # a long poll, or the gateway would ask without a pause
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the library's own names

        @override
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        @override
        def handle_error(self, *_: object) -> None:
            """Gateways that end leave their long poll behind."""

    with Server((test_cluster.node_ip, 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="session")
def settings(test_cluster: TestCluster, platform_port: int) -> NamespaceSettings:
    """The test cluster, as an operator would describe it."""
    beside = {"peer": {"addresses": [test_cluster.node_ip]}, "ports": [platform_port]}
    return NamespaceSettings.model_validate(
        {
            "cluster": "test",
            "kubeconfig": test_cluster.kubeconfig.read_text(),
            "image": test_cluster.image,
            "image_pull_policy": "Never",
            "node": test_cluster.node,
            "openclaw": test_cluster.openclaw,
            "storage_class": test_cluster.storage_class,
            "proxy": beside,
            "router": beside,
            "platform": {"addresses": [test_cluster.node_ip]},
        }
    )


@pytest.fixture
async def cells(test_cluster: TestCluster, settings: NamespaceSettings, tmp_path: Path) -> AsyncIterator[Cells]:
    """Cells of one test, all gone after it."""
    made = Cells(settings=settings, kubectl=Hand(cluster=test_cluster), backups=tmp_path / "backups")
    try:
        yield made
    finally:
        await made.remove_all()
