"""The stand-in as a process of its own, with Hetzner's own client and the control API."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from hcloud import Client

from tests.waiting import await_ready, patient

Json = dict[str, Any]


@dataclass
class Cloud:
    process: subprocess.Popen[bytes]
    ready: Json
    client: Client

    def control(self, method: str, path: str, body: Json | None = None, /, **query: Any) -> Json:
        url = f"{self.ready['hcloud_control']}/{path}"
        answer = requests.request(method, url, json=body, params=query, timeout=patient(10))
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def order(self, kind: str, **how: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **how})

    @property
    def left(self) -> Json:
        """What is left in the project, by kind."""
        objects: Json = self.control("GET", "objects")["objects"]
        return objects

    def requests(self, **query: Any) -> list[Json]:
        found: list[Json] = self.control("GET", "requests", **query)["requests"]
        return found


@contextlib.contextmanager
def client_of(ready: Json, token: str = "", **how: Any) -> Iterator[Client]:
    """Hetzner's client, closed at the end."""
    settings = {"poll_interval": 0.02, "timeout": 10, **how}
    client = Client(token or ready["hcloud_token"], api_endpoint=ready["hcloud_endpoint"], **settings)
    try:
        yield client
    finally:
        client._client._session.close()
        client._client_hetzner._session.close()


@contextlib.contextmanager
def running(folder: Path, *arguments: str, module: str = "sandbox.hcloud") -> Iterator[Cloud]:
    """Start it, wait until it is ready, end it."""
    ready_file = folder / "ready.json"
    ready_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, "--ready-file", str(ready_file), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        await_ready(process, ready_file)
        ready = json.loads(ready_file.read_text())
        with client_of(ready) as client:
            yield Cloud(process, ready, client)
    finally:
        process.terminate()
        assert process.wait(patient(15)) == 0
