"""The stand-in for the Hetzner API as a process of its own, and what tests tell it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import await_ready, patient

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Hetzner:
    """Where the stand-in is, and its control."""

    endpoint: str
    token: str
    control: str

    def tell(self, path: str, body: Object | None = None, *, method: str = "POST") -> Object:
        """One call to its control."""
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self.control}/{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=patient(20)) as answer:
            text = answer.read()
        result: Object = json.loads(text) if text else {}
        return result

    def objects(self) -> dict[str, list[Object]]:
        """Everything there is, by kind; kinds without objects are left out."""
        found = self.tell("objects", method="GET")["objects"]
        return {kind: entries for kind, entries in found.items() if entries}

    def names(self, kind: str) -> list[str]:
        return sorted(str(entry["name"]) for entry in self.objects().get(kind, []))

    def ask(self, path: str) -> Object:
        """One GET of the API itself."""
        request = urllib.request.Request(f"{self.endpoint}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=patient(20)) as answer:
            result: Object = json.loads(answer.read())
        return result

    def requests(self, method: str = "", path: str = "", after: int = 0) -> list[Object]:
        found = self.tell(f"requests?after={after}&method={method}&path={path}", method="GET")["requests"]
        return [entry for entry in found if not method or entry["method"] == method]

    def fault(self, kind: str, **order: Any) -> None:
        self.tell("faults", {"kind": kind, **order})


@contextmanager
def running(folder: Path) -> Iterator[Hetzner]:
    """A stand-in on a free port, gone afterwards."""
    ready = folder / "hcloud-ready.json"
    command = [sys.executable, "-m", "sandbox.hcloud", "--ready-file", str(ready), "--action-seconds", "0.02"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            await_ready(process, ready)
            told = json.loads(ready.read_text())
            yield Hetzner(endpoint=told["hcloud_endpoint"], token=told["hcloud_token"], control=told["hcloud_control"])
        finally:
            process.terminate()
            process.wait(patient(20))
