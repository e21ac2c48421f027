"""Policy packs stop an update, in each form in which the engine takes them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.toolchain.engine import LIMIT, Project
from tests.waiting import patient
from toolchain.ground.policy_packs import policy_pack
from toolchain.ground.surroundings import Surroundings

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
from rules import no_short_names

PolicyPack("trial", policies=[
    ResourceValidationPolicy(
        name="no-short-names", description="Names are long.",
        enforcement_level=EnforcementLevel.MANDATORY, validate=no_short_names,
    ),
])
"""
RULES = """
def no_short_names(args, report):
    if args.resource_type == "random:index/randomString:RandomString" and args.props["length"] < 8:
        report(f"length is {args.props['length']:.0f}; at least 8 is asked.")
"""
PROGRAM = """
    import pulumi_random as random
    random.RandomString("name", length={length})
"""

INLINE = """
import re
import sys

import pulumi
import pulumi_random as random
from pulumi import automation

def program():
    random.RandomString("name", length=pulumi.Config().require_int("length"))

stack = automation.create_or_select_stack("inline", project_name="inline", program=program)
stack.set_config("length", automation.ConfigValue("4"))
try:
    stack.up(policy_packs=[sys.argv[1]])
except automation.CommandError as error:
    print("refused:", re.search("length is 4.*", str(error))[0])
stack.set_config("length", automation.ConfigValue("9"))
print("then:", stack.up(policy_packs=[sys.argv[1]]).summary.result)
stack.destroy()
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    (folder / "__main__.py").write_text(PACK)
    (folder / "rules.py").write_text(RULES)
    return folder


def executable(project: Project, pack: Path) -> Path:
    around = replace(Surroundings.read(), cache=project.folder / "cache")
    return policy_pack(project.tools, pack, around)


def test_where_the_cache_cannot_be_written_the_pack_stays_a_folder(project: Project, pack: Path) -> None:
    """As in a pod with a read-only root. Nobody makes folders in /sys, not even root."""
    closed = replace(Surroundings.read(), cache=Path("/sys/clawstack"))
    assert policy_pack(project.tools, pack, closed) == pack


@pytest.mark.parametrize("form", ["folder", "executable"])
def test_a_mandatory_violation_stops_the_update_and_nothing_else_does(project: Project, pack: Path, form: str) -> None:
    given = pack if form == "folder" else executable(project, pack)
    assert given.is_dir() == (form == "folder")
    project.write(PROGRAM.format(length=4))
    code, printed = project.attempt("up", "--yes", "--skip-preview", "--stack", "dev", "--policy-pack", str(given))
    assert code != 0
    assert "length is 4; at least 8 is asked." in printed
    assert "trial@v1.2.3" in printed
    assert "randomString" not in project.state()

    project.write(PROGRAM.format(length=8))
    assert "1 created" in project.up("--policy-pack", str(given))


def test_a_pack_that_does_not_start_stops_the_update(project: Project, pack: Path) -> None:
    (pack / "rules.py").write_text("raise ImportError('the rules are gone')\n")
    project.write(PROGRAM.format(length=8))
    for given in (pack, executable(project, pack)):
        code, printed = project.attempt("up", "--yes", "--skip-preview", "--stack", "dev", "--policy-pack", str(given))
        assert code != 0
        assert "the rules are gone" in printed
    assert "randomString" not in project.state()


def test_an_inline_program_with_an_executable_pack_needs_no_language_host(project: Project, pack: Path) -> None:
    for host in project.home.glob("plugins/language-*/*"):
        host.unlink()
    script = project.folder / "inline.py"
    script.write_text(INLINE)
    path = os.pathsep.join([str(project.tools.pulumi.parent), os.defpath])
    environ = {**project.environ(), "PATH": path}
    # In a process of its own: an update that was stopped leaves the SDK's event loop behind.
    answer = subprocess.run(
        [sys.executable, script, executable(project, pack)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=patient(LIMIT),
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "refused: length is 4; at least 8 is asked." in answer.stdout
    assert "then: succeeded" in answer.stdout
