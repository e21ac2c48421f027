"""`pulumi` in the activated environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.toolchain.trees import NEW_PULUMI, complete, machine, tool
from toolchain.ground.finding import find_pulumi
from toolchain.ground.plugin_choice import choose_plugins
from toolchain.ground.surroundings import Surroundings
from toolchain.locate import locate
from toolchain.steps.plugins import write_launcher


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    around = machine(tmp_path / "with a space")
    complete(around)
    return around


def test_it_starts_the_cli_in_use_with_the_plugins_in_use(around: Surroundings) -> None:
    launcher = _write(around)
    text = launcher.read_text()
    tools = locate(around)
    assert f"'{tools.pulumi}'" in text
    assert all(str(folder) in text for folder in tools.plugin_path)
    assert launcher.stat().st_mode & 0o777 == 0o755


def test_it_follows_another_cli(around: Surroundings) -> None:
    _write(around)
    installed = tool(around.pulumi_home / "bin" / "pulumi", NEW_PULUMI)
    assert f"'{installed}'" in _write(around).read_text()


def test_a_pulumi_that_somebody_put_there_stays(around: Surroundings) -> None:
    own = tool(around.interpreter.parent / "pulumi", "v1.0.0")
    before = own.read_text()
    assert _write(around).read_text() == before


def _write(around: Surroundings) -> Path:
    pulumi = find_pulumi(around)
    assert pulumi is not None
    write_launcher(around, pulumi, choose_plugins(around, pulumi.path))
    return around.interpreter.parent / "pulumi"
