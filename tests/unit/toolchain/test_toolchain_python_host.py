"""How the language host starts programs and policy packs; starting them for real is tested with the engine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml
from pulumi.runtime.proto import language_pb2

from clawstack.plugin_server.values import to_struct
from tests.unit.toolchain.trees import tool
from toolchain.plugins.python_host import commands


def test_configuration_travels_in_the_environment_and_never_in_the_arguments() -> None:
    request = language_pb2.RunRequest(
        project="p", stack="s", pwd="/work", config={"p:password": "hunter2"}, configSecretKeys=["p:password"]
    )
    environ = commands.run_environment(request, {"PATH": "/bin"})
    assert environ["PATH"] == "/bin"
    assert json.loads(environ["PULUMI_CONFIG"]) == {"p:password": "hunter2"}
    assert json.loads(environ["PULUMI_CONFIG_SECRET_KEYS"]) == ["p:password"]
    command = commands.run_command(request, python="python", runner=Path("/exec"), engine="e")
    assert not any("hunter2" in argument for argument in command)


def test_program_and_pack_of_a_fresh_clone_run_in_its_own_environment_though_none_is_active() -> None:
    """The official host reads the same options; a virtualenv is relative to the folder of the file that names it."""
    root = Path(__file__).parents[3]
    for file in (root / "Pulumi.yaml", root / "policies" / "PulumiPolicy.yaml"):
        runtime = yaml.safe_load(file.read_text())["runtime"]
        assert (runtime["name"], runtime["options"]["toolchain"]) == ("python", "pip")
        assert Path(os.path.normpath(file.parent / runtime["options"]["virtualenv"])) == root / ".venv"


def test_a_preview_is_told_to_the_program_and_an_entry_point_is_kept() -> None:
    info = language_pb2.ProgramInfo(root_directory="/p", program_directory="/p/src", entry_point="app.py")
    request = language_pb2.RunRequest(project="p", stack="s", pwd="/p", dryRun=True, parallel=7, info=info)
    command = commands.run_command(request, python="python", runner=Path("/exec"), engine="127.0.0.1:1")
    options = dict(zip(command[3:-1:2], command[4:-1:2], strict=True))
    assert options["--dry_run"] == "true"
    assert options["--parallel"] == "7"
    assert options["--engine"] == "127.0.0.1:1"
    assert options["--organization"] == "organization"
    assert command[-1] == "/p/src/app.py"


def test_a_policy_pack_starts_one_interpreter_with_the_engines_arguments() -> None:
    info = language_pb2.ProgramInfo(root_directory="/pack", program_directory="/pack", entry_point=".")
    request = language_pb2.RunPluginRequest(
        kind="analyzer", args=["--logflow", "127.0.0.1:1"], info=info, env=["A=1", "B=x=y", "A=2"]
    )
    assert commands.plugin_command(request, python="python") == [
        *("python", "-u", "-m", "pulumi.policy", "--logflow", "127.0.0.1:1", "/pack"),
    ]
    assert commands.plugin_environment(request, {"C": "3"}) == {"A": "2", "B": "x=y"}


def test_the_programs_own_environment_goes_before_a_wish_and_a_wish_before_ours(tmp_path: Path) -> None:
    own = tool(tmp_path / "venv" / "bin" / "python")
    info = language_pb2.ProgramInfo(root_directory=str(tmp_path), options=to_struct({"virtualenv": "venv"}))
    absent = language_pb2.ProgramInfo(root_directory=str(tmp_path), options=to_struct({"virtualenv": "nothing"}))
    wish = {"PULUMI_PYTHON_CMD": "/opt/python"}
    assert commands.interpreter(info, "ours", wish) == str(own)
    assert commands.interpreter(absent, "ours", wish) == "/opt/python"
    assert commands.interpreter(language_pb2.ProgramInfo(), "ours", {}) == "ours"
