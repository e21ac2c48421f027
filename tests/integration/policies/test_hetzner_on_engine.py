"""The Hetzner rules on the real engine, which tells them what was made from what, against the stand-in for Hetzner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hcloud_plugin.standin import Hetzner, running
from tests.integration.toolchain.conftest import await_none
from tests.integration.toolchain.engine import Project
from toolchain.locate import locate

PROGRAM = Path(__file__).with_name("judged_at_hetzner.py")
PACK = Path(__file__).parents[3] / "policies"
KEY = "sk_live_" + "a1B2c3D4e5F6"


@pytest.fixture(scope="module")
def hetzner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with running(tmp_path_factory.mktemp("hetzner")) as standin:
        yield standin


@pytest.fixture
def project(hetzner: Hetzner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    hetzner.tell("reset")
    monkeypatch.setenv("TOKEN", hetzner.token)
    monkeypatch.setenv("ENDPOINT", hetzner.endpoint)
    made = Project(folder=tmp_path, tools=locate())
    made.prepare()
    made.write(PROGRAM.read_text())
    yield made
    left = await_none(made)
    for process in made.processes():
        process.kill()
    assert left == []


def attempt(project: Project, verb: str, monkeypatch: pytest.MonkeyPatch, **wish: Any) -> tuple[int, str]:
    monkeypatch.setenv("WISH", json.dumps(wish))
    skip = () if verb == "preview" else ("--yes", "--skip-preview")
    return project.attempt(verb, *skip, "--stack", "dev", "--policy-pack", str(PACK))


def test_a_guarded_node_is_foreseen_made_and_made_again_without_a_word(
    project: Project, hetzner: Hetzner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("preview", "up", "up"):
        code, printed = attempt(project, verb, monkeypatch)
        assert code == 0, printed
        assert "[mandatory]" not in printed
    assert hetzner.names("servers") == ["trial"]


@pytest.mark.parametrize(
    ("wish", "rule", "words"),
    [
        ({"attached": False}, "server-require-firewall", "server has no firewall"),
        ({"joined": False}, "node-require-private-network", "without a private network"),
        ({"source": "0.0.0.0/0"}, "firewall-forbid-public-administration", "opens SSH to 0.0.0.0/0"),
        ({"backups": False}, "node-require-backups", "without backups"),
        ({"type": "ccx63"}, "server-allow-type-of-plan", "is a ccx63"),
        ({"marked": False}, "server-forbid-secret-in-user-data", "not marked secret"),
        ({"user_data": f"#cloud-config\n# {KEY}\n"}, "server-forbid-secret-in-user-data", "a key or token"),
    ],
)
def test_a_breach_is_foreseen_before_anything_is_ordered(
    project: Project, hetzner: Hetzner, monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any], rule: str, words: str
) -> None:
    code, printed = attempt(project, "preview", monkeypatch, **wish)
    assert code != 0, printed
    assert rule in printed
    assert words in printed
    assert KEY not in printed
    assert hetzner.objects() == {}


def test_a_real_update_does_not_order_a_server_with_a_key_in_its_user_data(
    project: Project, hetzner: Hetzner, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed = attempt(project, "up", monkeypatch, user_data=f"#cloud-config\n# {KEY}\n")
    assert code != 0, printed
    assert "server-forbid-secret-in-user-data" in printed
    assert "servers" not in hetzner.objects()
    assert KEY not in project.state()
