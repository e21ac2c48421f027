"""The production profile never shows offline plugins to the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawstack.tools import PluginInfo, Tools
from services.cells.provisioner import machine as module
from services.cells.provisioner.machine import Machine


def _plugin(name: str, origin: str) -> PluginInfo:
    return PluginInfo(name=name, kind="resource", origin=origin, version="1", path=Path(f"/plugins/{name}/plugin"))


@pytest.fixture
def found(monkeypatch):
    plugins = (_plugin("random", "offline"), _plugin("hcloud", "official"), _plugin("clawstack", "project"))
    tools = Tools(
        pulumi=Path("/pulumi"), pulumi_version="3.259.0", node=Path("/node"), openclaw=Path("/openclaw.mjs"),
        openclaw_version="2026.9.6", plugin_path=tuple(plugin.path.parent for plugin in plugins), plugins=plugins,
    )  # fmt: skip
    monkeypatch.setattr(module, "locate", lambda: tools)


@pytest.mark.usefixtures("found")
def test_production_hides_offline_plugins():
    shown = Machine(production=True).tools().plugin_path
    assert shown == (Path("/plugins/hcloud"), Path("/plugins/clawstack"))


@pytest.mark.usefixtures("found")
def test_development_uses_what_there_is():
    assert Path("/plugins/random") in Machine().tools().plugin_path
