"""Judges from outside: cloud-init's own schema and shellcheck. Debian packages `cloud-init` and `shellcheck`."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from tests.unit.k3s.clusters import control_plane, large_cluster
from tests.unit.k3s.test_k3s_user_data import CASES, render


def _judge(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian package of that name)")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", [*CASES, "with-keys"])
def test_cloud_init_takes_the_user_data(name: str, tmp_path: Path) -> None:
    keys = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMadeUpKeyMadeUpKeyMadeUpKeyMadeUpKeyMade operator",)
    case = CASES.get(name) or control_plane(1, cluster=large_cluster(authorized_keys=keys))
    file = tmp_path / "user-data"
    file.write_text(render(case))
    judged = _judge("cloud-init", "schema", "--config-file", str(file))
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "deprecat" not in judged.stdout + judged.stderr


def test_cloud_inits_judge_can_say_no(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text(render(CASES["dev"]).replace("permissions:", "permission:", 1))
    assert _judge("cloud-init", "schema", "--config-file", str(file)).returncode != 0


def test_shellcheck_finds_nothing() -> None:
    with as_file(files("clawstack.k3s").joinpath("scripts/node.sh")) as script:
        judged = _judge("shellcheck", "--enable=all", "--exclude=SC2250,SC2310,SC2312", str(script))
    assert judged.returncode == 0, judged.stdout
