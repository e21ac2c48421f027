"""`pulumi` in the activated environment: decided at every start, as `doctor` decides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError
from tests.unit.toolchain.trees import NEW_PULUMI, complete, machine, tool
from toolchain.doctor import examine
from toolchain.ground.plugin_choice import WANTED, generated_folder
from toolchain.ground.surroundings import Surroundings
from toolchain.launching import prepared
from toolchain.locate import locate
from toolchain.steps.plugins import write_launcher

(KUBERNETES,) = [wanted for wanted in WANTED if wanted.name == "kubernetes"]


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    around = machine(tmp_path / "with a space")
    complete(around)
    return around


def linked(environ: dict[str, str], version: str = KUBERNETES.version) -> Path:
    return Path(environ["PULUMI_HOME"]) / "plugins" / f"resource-kubernetes-v{version}" / KUBERNETES.file


def test_the_script_decides_nothing(around: Surroundings) -> None:
    write_launcher(around)
    launcher = around.interpreter.parent / "pulumi"
    assert launcher.read_text().endswith(f"exec '{around.interpreter}' -I -m toolchain.launching \"$@\"\n")
    assert launcher.stat().st_mode & 0o777 == 0o755


def test_it_starts_the_cli_in_use_with_plugins_of_which_the_engine_makes_no_remark(around: Surroundings) -> None:
    command, environ = prepared(around, ["preview", "--diff"], {"PATH": "/bin", "OWN": "kept"})
    assert command == [str(locate(around).pulumi), "preview", "--diff"]
    assert (environ["PATH"], environ["OWN"]) == ("/bin", "kept"), "what is linked need not be on PATH"
    assert linked(environ).resolve() == (generated_folder(around, KUBERNETES) / KUBERNETES.file).resolve()


def test_the_persons_own_home_keeps_credentials_and_selections_and_gets_no_stand_in(around: Surroundings) -> None:
    _, environ = prepared(around, ["up"], {})
    assert environ["PULUMI_CREDENTIALS_PATH"] == str(around.pulumi_home)
    assert (Path(environ["PULUMI_HOME"]) / "workspaces").resolve() == (around.pulumi_home / "workspaces").resolve()
    assert not (around.pulumi_home / "plugins").exists()
    _, environ = prepared(around, ["up"], {"PULUMI_CREDENTIALS_PATH": "/elsewhere"})
    assert environ["PULUMI_CREDENTIALS_PATH"] == "/elsewhere"


def test_an_official_plugin_that_came_since_is_used_as_doctor_says(around: Surroundings) -> None:
    _, before = prepared(around, ["up"], {})
    official = tool(around.pulumi_home / "plugins" / "resource-kubernetes-v9.9.9" / KUBERNETES.file)
    _, after = prepared(around, ["up"], {})
    assert linked(after, "9.9.9").resolve() == official.resolve()
    assert not linked(after).exists(), "the engine would take the stand-in, which has the version that is asked for"
    assert linked(before).exists(), "a run that is under way keeps what it has"
    (told,) = [check.found for check in examine(around).checks if check.name == "Plugin kubernetes"]
    assert told == "official 9.9.9"


def test_another_cli_is_followed(around: Surroundings) -> None:
    installed = tool(around.pulumi_home / "bin" / "pulumi", NEW_PULUMI)
    assert prepared(around, [], {})[0] == [str(installed)]


def test_plugins_are_installed_into_the_persons_own_store(around: Surroundings) -> None:
    _, environ = prepared(around, ["plugin", "install", "resource", "kubernetes"], {"PATH": "/bin"})
    assert "PULUMI_HOME" not in environ
    assert environ["PATH"].endswith(":/bin")


def test_a_home_that_cannot_be_written_leaves_plugins_on_path(around: Surroundings) -> None:
    around.pulumi_home.parent.mkdir(parents=True)
    around.pulumi_home.write_text("no folder")
    _, environ = prepared(around, ["up"], {"PATH": "/bin"})
    assert str(generated_folder(around, KUBERNETES)) in environ["PATH"]
    assert "PULUMI_HOME" not in environ


def test_without_a_cli_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NeedsAttentionError, match="no suitable Pulumi CLI"):
        prepared(machine(tmp_path), [], {})


def test_a_pulumi_that_somebody_put_there_stays(around: Surroundings) -> None:
    own = tool(around.interpreter.parent / "pulumi", "v1.0.0")
    before = own.read_text()
    write_launcher(around)
    assert own.read_text() == before
