"""One real OpenClaw gateway through the life of a cell. Few gateways: each costs 6 to 15 s of processor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tenants.backups import archive
from tenants.process import accounts
from tests.e2e.tenants.outside import CHANNEL_TOKEN, PROXY_TOKEN, Outside
from tests.integration.tenants.harness import Cell, Place, until
from tests.waiting import patient
from toolchain.locate import locate

GOLDEN = Path(__file__).parents[2] / "unit" / "tenants" / "golden"


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_openclaw_itself_accepts_the_golden_configuration(golden: Path, tmp_path: Path) -> None:
    tools = locate()
    config = json.loads(golden.read_text())
    config["logging"]["file"] = str(tmp_path / "openclaw.log")
    (tmp_path / "openclaw.json").write_text(json.dumps(config))
    result = subprocess.run(
        [str(tools.node), str(tools.openclaw), "config", "validate", "--json"],
        env={
            "HOME": str(tmp_path),
            "PATH": f"{tools.node.parent}:/usr/bin:/bin",
            "OPENCLAW_STATE_DIR": str(tmp_path),
            "OPENCLAW_CONFIG_PATH": str(tmp_path / "openclaw.json"),
            "CLAWSTACK_PROXY_TOKEN": "x" * 20,
            "CLAWSTACK_CHANNEL_TOKEN": "x" * 20,
            "CLAWSTACK_GATEWAY_TOKEN": "x" * 20,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["valid"] is True


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place.make()
    yield made
    made.clean()


@pytest.fixture
def outside(place: Place) -> Iterator[Outside]:
    running = Outside.start(place.folder)
    yield running
    running.stop()


@pytest.mark.timeout(600)
def test_the_life_of_a_real_cell(place: Place, outside: Outside) -> None:
    """Up, chat, change the model without a restart, crash, back up and restore, suspend, resume, destroy."""
    tools = locate()
    spec = place.spec(
        endpoints=outside.endpoints,
        runtime={"node": tools.node, "openclaw": tools.openclaw, "version": tools.openclaw_version},
        secrets={
            "proxy_token": PROXY_TOKEN,
            "channel_token": CHANNEL_TOKEN,
            "gateway_token": "csg_planted-gateway-token-0003",
        },
        answers={"child_name": "Wilhelmina", "child_birthday": "2025-09-14"},
    )
    cell = Cell(spec=spec)
    cell.up()
    pid = cell.running_pid()
    assert psutil.Process(pid).parent().pid == _launcher_of(cell), "the gateway must hear its SIGTERM itself"  # type: ignore[union-attr]

    answer = outside.ask("hi")
    assert "Wilhelmina" in answer
    assert "Robin" in answer
    assert outside.last_model() == "gpt-5-mini"

    cell.spec = spec.model_copy(update={"models": spec.models.model_copy(update={"primary": "gpt-5-nano"})})
    cell.up()
    until(lambda: outside.ask("and now?") and outside.last_model() == "gpt-5-nano", seconds=60, what="the new model")
    assert cell.running_pid() == pid, "a change of model needs no restart"

    manifest = archive.create(_source(cell), place.folder / "backups")
    assert manifest.verified
    os.kill(cell.running_pid(), signal.SIGKILL)
    until(lambda: cell.status().pid not in {None, pid} and cell.status().state == "running", what="a new gateway")
    assert len(_gateways(cell)) == 1
    assert "Wilhelmina" in outside.ask("are you back?")

    _planted_secrets_are_nowhere(cell, place)
    restored = archive.restore(_source(cell), place.folder / "backups", manifest, place.folder / "staging")
    assert (restored / "state" / "openclaw.sqlite").is_file()
    assert "Wilhelmina" in (restored / "workspace" / "USER.md").read_text()

    stopping = time.monotonic()
    cell.spec = spec.model_copy(update={"desired": "suspended"})
    cell.up()
    assert time.monotonic() - stopping < patient(25), "an idle gateway ends in seconds, not by force"
    assert not cell.processes()
    cell.spec = spec
    cell.up()
    assert "Wilhelmina" in outside.ask("awake?")

    cell.destroy()
    assert not cell.paths.root.exists()
    assert accounts.find(spec.account or "-") is None
    assert len(archive.manifests(place.folder / "backups", spec.slug)) == 2


def _source(cell: Cell) -> archive.ArchiveSource:
    spec = cell.spec
    return archive.ArchiveSource(
        slug=spec.slug,
        paths=cell.paths,
        ids=accounts.find(spec.account) if spec.account else None,
        node=spec.runtime.node,
        openclaw=spec.runtime.openclaw,
        version=spec.runtime.version,
        key=spec.backup_key.get_secret_value(),
    )


def _launcher_of(cell: Cell) -> int:
    return int(json.loads(cell.supervisor.record(cell.spec.slug).read_text())["launcher_pid"])


def _gateways(cell: Cell) -> list[psutil.Process]:
    return [process for process in cell.processes() if "gateway" in " ".join(process.cmdline())]


def _planted_secrets_are_nowhere(cell: Cell, place: Place) -> None:
    planted = (PROXY_TOKEN, CHANNEL_TOKEN, "csg_planted-gateway-token-0003")
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert not [
        secret
        for secret in planted
        if secret in listed.replace(f"parent_bot={CHANNEL_TOKEN}", "").replace(f"--llm-key {PROXY_TOKEN}", "")
    ]
    allowed = cell.supervisor.launch(cell.spec.slug)
    files = [path for path in (place.folder / "cells").rglob("*") if path.is_file()]
    files += [path for path in (place.folder / "supervisor").rglob("*") if path.is_file() and path != allowed]
    assert cell.paths.log in files
    found = [path for path in files if any(secret.encode() in path.read_bytes() for secret in planted)]
    assert found == [], "the gateway wrote a token into a file"
