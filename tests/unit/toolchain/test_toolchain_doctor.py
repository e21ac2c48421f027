"""The doctor names what is there, what is missing, and the command that mends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.toolchain.trees import complete, machine, tool
from toolchain import __main__ as command
from toolchain.doctor import Check, examine
from toolchain.ground import finding, pins
from toolchain.ground.surroundings import Surroundings
from toolchain.steps import system


def test_a_complete_machine_is_healthy_for_development_and_not_for_production(tmp_path: Path) -> None:
    around = _complete(tmp_path)
    assert examine(around).ok
    report = examine(around, production=True)
    refused = {check.name: check.remedy for check in report.checks if not check.ok}
    assert set(refused) == {"Plugin python", "Plugin random"}
    kubernetes = _check(report.checks, "Plugin kubernetes")
    assert kubernetes.ok, "only a platform with namespace cells needs it"
    assert kubernetes.detail.startswith("Not used in production.")
    assert refused["Plugin random"].startswith("pulumi plugin install resource random ")
    assert "https://www.pulumi.com/docs/install/" in refused["Plugin python"]


def test_production_refuses_the_offline_plugin_of_a_substrate_that_is_used(tmp_path: Path) -> None:
    around = _complete(tmp_path)
    kubernetes = _check(examine(around, production=True, needed=("kubernetes",)).checks, "Plugin kubernetes")
    assert not kubernetes.ok
    assert kubernetes.remedy.startswith("pulumi plugin install resource kubernetes ")
    assert examine(around, needed=("kubernetes",)).ok, "offline plugins are for development"
    missing = _check(examine(machine(tmp_path / "bare"), needed=("hcloud",)).checks, "Plugin hcloud")
    assert not missing.ok
    assert missing.remedy.endswith("setup plugins")


def test_production_accepts_official_plugins_and_the_projects_own(tmp_path: Path) -> None:
    around = _complete(tmp_path)
    for name in ("pulumi-language-python", "pulumi-resource-random", "pulumi-resource-kubernetes"):
        tool(finding.pulumi_built(around) / "bin" / name)
    report = examine(around, production=True)
    assert report.ok
    assert _check(report.checks, "Plugin clawstack").found.startswith("project ")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Pulumi CLI", "pulumi"),
        ("Plugin random", "plugins"),
        ("Node", "openclaw"),
        ("OpenClaw", "openclaw"),
    ],
)
def test_each_missing_part_has_its_command(tmp_path: Path, name: str, part: str) -> None:
    around = machine(tmp_path)
    check = _check(examine(around).checks, name)
    assert not check.ok
    assert check.found == "missing"
    assert check.remedy == f"{around.interpreter} -m toolchain setup {part}"


def test_what_only_some_need_is_told_but_not_held_against_the_machine(tmp_path: Path) -> None:
    checks = examine(machine(tmp_path)).checks
    for name in ("Chromium", "Plugin hcloud", "Plugin kubernetes"):
        check = _check(checks, name)
        assert check.ok
        assert check.found == "missing"
        assert "install" in check.detail


def test_the_offline_kubernetes_plugin_is_named_as_what_it_is(tmp_path: Path) -> None:
    check = _check(examine(_complete(tmp_path)).checks, "Plugin kubernetes")
    assert check.ok
    assert check.found.startswith("offline ")


def test_only_root_needs_what_makes_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = system.SystemPackage(package="accounts", executable="no-such-tool", purpose="makes accounts")
    monkeypatch.setattr(system, "SYSTEM_PACKAGES", (absent,))
    assert _check(examine(machine(tmp_path)).checks, "System packages").ok
    check = _check(examine(machine(tmp_path, is_root=True)).checks, "System packages")
    assert not check.ok
    assert check.found == "missing: accounts"
    assert check.remedy.endswith("-m toolchain setup system")


def test_json_is_for_programs_and_the_exit_code_says_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLAWSTACK_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    code = command.main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 1
    assert report["ok"] is False
    assert {"name": "OpenClaw", "ok": False, "found": "missing", "wanted": pins.OPENCLAW}.items() <= next(
        check for check in report["checks"] if check["name"] == "OpenClaw"
    ).items()


def test_a_system_package_that_this_account_may_not_install_is_one_sentence_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Surroundings, "read", classmethod(lambda _cls, _environ=None: machine(tmp_path, is_root=False)))
    assert command.main(["setup", "chromium"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "sudo apt-get install --no-install-recommends chromium fonts-dejavu-core" in printed
    assert "the browser tests need it" in printed


def test_downloads_can_be_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Surroundings, "read", classmethod(lambda _cls, _environ=None: machine(tmp_path)))
    for part in ("pulumi", "openclaw"):
        assert command.main(["setup", part]) == 1
        assert "CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids" in " ".join(capsys.readouterr().out.split())


def _complete(tmp_path: Path) -> Surroundings:
    bin_folder = tmp_path / "bin"
    for package in system.SYSTEM_PACKAGES:
        tool(bin_folder / package.executable)
    around = machine(tmp_path, path=(bin_folder,))
    complete(around)
    return around


def _check(checks: tuple[Check, ...], name: str) -> Check:
    return next(check for check in checks if check.name == name)
