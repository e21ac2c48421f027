"""The offline hcloud plugin under the real engine: a whole program, changed, drifted, interrupted, destroyed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.hcloud_plugin.standin import Hetzner
from tests.integration.killed_engine import mend
from tests.integration.toolchain.conftest import await_none
from tests.integration.toolchain.engine import Project
from tests.waiting import patient, until
from toolchain.locate import locate

PROGRAM = Path(__file__).with_name("program.py")
CREATING = 17
"""With the stack itself and the provider."""


class Stack:
    """The program's stack, and what it wishes."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self._monkeypatch = monkeypatch
        self.wish()

    def wish(self, **wish: Any) -> None:
        self._monkeypatch.setenv("WISH", json.dumps(wish))

    def up(self, *arguments: str) -> str:
        return self.project.up(*arguments)

    def refresh(self) -> str:
        return self.project.pulumi("refresh", "--yes", "--skip-preview", "--stack", "dev")

    def destroy(self) -> str:
        return self.project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev")


@pytest.fixture
def stack(hetzner: Hetzner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("TOKEN", hetzner.token)
    monkeypatch.setenv("ENDPOINT", hetzner.endpoint)
    project = Project(folder=tmp_path, tools=locate())
    project.prepare()
    project.write(PROGRAM.read_text())
    yield Stack(project, monkeypatch)
    left = await_none(project)
    for process in project.processes():
        process.kill()
    assert left == []


def test_a_cluster_is_made_kept_changed_repaired_and_destroyed(hetzner: Hetzner, stack: Stack) -> None:
    foreseen = stack.project.pulumi("preview", "--stack", "dev")
    assert f"+ {CREATING} to create" in foreseen
    assert hetzner.objects() == {}

    printed = stack.up()
    assert f"+ {CREATING} created" in printed
    assert "create server (" in printed, "the engine shows how far Hetzner is"
    assert hetzner.names("servers") == ["one", "two"]
    outputs = stack.project.outputs()
    assert len(outputs["addresses"]) == 2
    assert outputs["type"] == 2
    assert outputs["userData"] == "[secret]"
    assert "planted-secret" not in stack.project.state()
    assert hetzner.token not in stack.project.state()

    before = len(hetzner.requests())
    assert f"{CREATING} unchanged" in stack.up()
    assert all(call["method"] == "GET" for call in hetzner.requests()[before:])
    assert f"{CREATING} unchanged" in stack.refresh()

    servers = {entry["name"]: entry["id"] for entry in hetzner.objects()["servers"]}
    stack.wish(
        labels={"x": "y"},
        type="cx33",
        ports=["22", "80-85"],
        size=20,
        ttl=600,
        balancer="lb21",
        backups=True,
        protected=True,
    )
    assert "~ 10 updated" in stack.up()
    assert {entry["name"]: entry["id"] for entry in hetzner.objects()["servers"]} == servers, "nothing was replaced"
    assert {entry["labels"]["x"] for entry in hetzner.objects()["servers"]} == {"y"}
    assert f"{CREATING} unchanged" in stack.refresh()

    code, printed = stack.project.attempt("destroy", "--yes", "--skip-preview", "--stack", "dev")
    assert code != 0
    assert "Set deleteProtection" in printed
    stack.wish(labels={"x": "y"}, type="cx33", ports=["22", "80-85"], size=20, ttl=600, balancer="lb21", backups=True)
    stack.up()

    hetzner.tell(f"remove/servers/{servers['two']}")
    assert "- 1 deleted" in stack.refresh()
    assert "+ 1 created" in stack.up()
    assert hetzner.names("servers") == ["one", "two"]
    stack.destroy()
    assert hetzner.objects() == {}


def test_a_replacement_deletes_first_because_names_are_unique(hetzner: Hetzner, stack: Stack) -> None:
    stack.up()
    before = hetzner.objects()
    stack.wish(image="ubuntu-24.04")
    printed = stack.up()
    assert "replaced" in printed
    after = hetzner.objects()
    assert hetzner.names("servers") == ["one", "two"]
    assert not {entry["id"] for entry in before["servers"]} & {entry["id"] for entry in after["servers"]}
    assert before["volumes"] == after["volumes"]
    assert hetzner.ask("/volumes?name=trial")["volumes"][0]["server"] in {entry["id"] for entry in after["servers"]}
    assert f"{CREATING} unchanged" in stack.refresh()
    stack.destroy()
    assert hetzner.objects() == {}


COUNTS = {
    "networks": 1,
    "firewalls": 1,
    "ssh_keys": 1,
    "placement_groups": 1,
    "servers": 2,
    "volumes": 1,
    "load_balancers": 1,
    "zones": 1,
    "rrsets": 3,  # with the two that Hetzner makes itself
    "primary_ips": 4,
}


def counts(hetzner: Hetzner) -> dict[str, int]:
    return {kind: len(entries) for kind, entries in hetzner.objects().items()}


def kill(hetzner: Hetzner, stack: Stack, at: int, *command: str) -> None:
    """kill -9 of engine and plugins once Hetzner has got that many changing calls; then free the stack."""
    hetzner.tell("speed", {"seconds": 0.15})
    before = len(hetzner.requests())
    engine = stack.project.start(*command, "--yes", "--skip-preview", "--stack", "dev")

    def came() -> bool:
        assert engine.poll() is None, engine.communicate()[0]
        return sum(call["method"] != "GET" for call in hetzner.requests()[before:]) >= at

    until(came, f"{at} changing calls", pause=0.01)
    for process in stack.project.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    engine.communicate(timeout=patient(30))
    assert await_none(stack.project) == []
    hetzner.tell("speed", {"seconds": 0.02})
    mend(stack.project.folder / "state")
    stack.project.pulumi("cancel", "--yes", "--stack", "dev")


def recover(hetzner: Hetzner, stack: Stack) -> None:
    """What an operator types after `pulumi cancel`."""
    exported = stack.project.state()
    command = [sys.executable, "-m", "clawstack.cluster.recover", "trial", "--delete"]
    access = {"CLAWSTACK_HCLOUD_TOKEN": hetzner.token, "CLAWSTACK_HCLOUD_ENDPOINT": hetzner.endpoint}
    undone = subprocess.run(
        command,
        input=exported[exported.index("{") : exported.rindex("}") + 1],
        env={**stack.project.environ(), **access},
        capture_output=True, text=True, timeout=patient(60), check=False,
    )  # fmt: skip
    assert undone.returncode == 0, undone.stdout + undone.stderr
    stack.project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", "dev")


def sometimes(often: tuple[int, ...], all_of: tuple[int, ...]) -> list[Any]:
    return [at if at in often else pytest.param(at, marks=pytest.mark.long) for at in all_of]


@pytest.mark.parametrize("at", sometimes((2, 9, 15), (2, 5, 9, 12, 15, 18)))
def test_a_killed_engine_leaves_no_second_object_when_the_update_is_repeated(
    hetzner: Hetzner, stack: Stack, at: int
) -> None:
    """The way of docs/hetzner.md: what was made and not written down is removed, never taken over, and made once."""
    kill(hetzner, stack, at, "up")
    recover(hetzner, stack)
    stack.up()
    assert hetzner.names("servers") == ["one", "two"]
    assert counts(hetzner) == COUNTS
    assert f"{CREATING} unchanged" in stack.refresh()
    stack.destroy()
    assert hetzner.objects() == {}


@pytest.mark.parametrize("at", sometimes((11,), (3, 7, 11, 15, 19)))
def test_a_killed_change_ends_as_wished_when_it_is_repeated(hetzner: Hetzner, stack: Stack, at: int) -> None:
    stack.up()
    before = {kind: [entry["id"] for entry in entries] for kind, entries in hetzner.objects().items()}
    stack.wish(labels={"x": "y"}, type="cx33", ports=["22"], size=20, ttl=600, balancer="lb21", backups=True)
    kill(hetzner, stack, at, "up")
    stack.up()
    assert {kind: [entry["id"] for entry in entries] for kind, entries in hetzner.objects().items()} == before
    servers = hetzner.ask("/servers")["servers"]
    assert {(one["status"], one["server_type"]["name"], one["labels"]["x"]) for one in servers} == {
        ("running", "cx33", "y")
    }
    assert not [label for one in servers for label in one["labels"] if "interrupted" in label]
    assert f"{CREATING} unchanged" in stack.refresh()
    stack.destroy()
    assert hetzner.objects() == {}


@pytest.mark.parametrize("at", sometimes((5,), (1, 5, 9, 13)))
def test_a_killed_destroy_leaves_nothing_when_it_is_repeated(hetzner: Hetzner, stack: Stack, at: int) -> None:
    stack.up()
    kill(hetzner, stack, at, "destroy")
    stack.destroy()
    assert hetzner.objects() == {}


def test_an_interrupt_leaves_nothing_unrecorded(hetzner: Hetzner, stack: Stack) -> None:
    """Ctrl-C: what Hetzner has begun is in the state, so that a destroy removes it without a second update."""
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 30}})
    engine = stack.project.start("up", "--yes", "--skip-preview", "--stack", "dev")

    def came() -> bool:
        assert engine.poll() is None, engine.communicate()[0]
        return len(hetzner.names("servers")) >= 2

    until(came, "two servers", pause=0.02)
    started = time.monotonic()
    engine.send_signal(2)
    printed, _ = engine.communicate(timeout=patient(30))
    assert time.monotonic() - started < patient(15)
    assert engine.returncode != 0
    assert "Traceback" not in printed
    hetzner.tell("speed", {"seconds": 0.02, "commands": {"create_server": 0.02}})
    hetzner.tell("settle")
    state = json.loads(stack.project.state())["deployment"]["resources"]
    servers = {str(entry["id"]) for entry in hetzner.objects()["servers"]}
    assert servers <= {resource.get("id") for resource in state}
    stack.destroy()
    assert hetzner.objects() == {}


def test_a_quota_stops_the_update_with_hetzners_words(hetzner: Hetzner, stack: Stack) -> None:
    hetzner.tell("quotas", {"quotas": {"servers": 1}})
    code, printed = stack.project.attempt("up", "--yes", "--skip-preview", "--stack", "dev")
    assert code != 0
    assert "(resource_limit_exceeded)" in printed
    assert "[needs_attention:hetzner_resource_limit_exceeded]" in printed
    assert "Traceback" not in printed
    hetzner.tell("quotas", {"quotas": {"servers": 10}})
    stack.up()
    assert hetzner.names("servers") == ["one", "two"]
    stack.destroy()
