"""A whole platform beside the stand-in for Hetzner: its cells are servers, and a folder plays each machine."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.cli.demonstration.observe import Observer
from services.cli.demonstration.world import World
from tests.e2e.people import Customer, payer
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.integration.server.rehearsal import Disk, RehearsedMachine, node_archive
from toolchain.locate import locate


@dataclass(kw_only=True)
class Machines:
    """Plays the machines that Hetzner would start: what they are told is the real user data."""

    folder: Path
    hetzner: Hetzner
    started: list[RehearsedMachine] = field(default_factory=list)

    def boot(self, name: str) -> RehearsedMachine:
        """The newest server of that name, from its user data until its agent runs."""
        disk = Disk(folder=self.folder / f"disk-{name}")
        disk.folder.mkdir(exist_ok=True)
        (disk.folder / "device").touch()
        machine = RehearsedMachine(root=self.folder / f"machine-{len(self.started)}", disk=disk)
        machine.root.mkdir()
        self.started.append(machine)
        machine.prepare(self.user_data(name))
        done = machine.bootstrap()
        assert done.returncode == 0, done.stdout + done.stderr
        return machine

    def user_data(self, name: str) -> str | None:
        """What the newest server of that name was given, None while there is none."""
        if name not in self.hetzner.names("servers"):
            return None
        found: str | None = self.hetzner.tell(f"servers/{name}", method="GET")["server"]["user_data"]
        return found

    def end(self) -> None:
        for machine in self.started:
            if (machine.root / "stub").exists():
                machine.power_off()


@pytest.fixture(scope="module")
def release() -> Iterator[tuple[str, str]]:
    """Address and checksum of what machines take for Node's release."""
    archive = node_archive(locate().node)

    class Download(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(archive)))
            self.end_headers()
            self.wfile.write(archive)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Download) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", hashlib.sha256(archive).hexdigest()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def place(release: tuple[str, str]) -> Iterator[tuple[World, Hetzner]]:
    world = World(overrides={"CLAWSTACK_DEFAULT_SUBSTRATE": "server", "CLAWSTACK_LEASE_TTL": "8"})
    url, sha256 = release
    try:
        told = world.start_sandbox()
        node = {"version": "26.10.0", "sha256": {"x64": sha256}, "url": f"{url}/node-{{version}}-{{arch}}.tar.xz"}
        servers = {
            "location": "nbg1",
            "server_types": {"business": "cx33"},
            "node": node,
            "poll_interval": "50ms",
            "poll_seconds": 0.2,
            "ready_seconds": 120,
        }
        world.set(
            {
                "CLAWSTACK_HCLOUD_ENDPOINT": told["hcloud_endpoint"],
                "CLAWSTACK_HCLOUD_TOKEN": told["hcloud_token"],
                "CLAWSTACK_SERVERS": json.dumps(servers),
            }
        )
        world.start_platform()
        world.run("admin", "stripe-setup", "--json")
        yield (
            world,
            Hetzner(endpoint=told["hcloud_endpoint"], token=told["hcloud_token"], control=told["hcloud_control"]),
        )
    finally:
        world.close()


@pytest.fixture(scope="module")
def machines(place: tuple[World, Hetzner], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = Machines(folder=tmp_path_factory.mktemp("machines"), hetzner=place[1])
    yield machines
    machines.end()


@pytest.fixture(scope="module")
def signs_up(place: tuple[World, Hetzner]) -> Callable[..., Customer]:
    return payer(place[0], Observer(place[0]))
