"""Judges from outside: cloud-init's own schema, shellcheck, nft and systemd. Debian packages `cloud-init`, `shellcheck`,
`nftables` and `systemd`; a judge that is not there says nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from tests.unit.k3s.clusters import control_plane, large_cluster
from tests.unit.k3s.test_k3s_user_data import CASES, file, parsed, render
from tests.waiting import patient


def _judge(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed (Debian packages: cloud-init, shellcheck, nftables, systemd)")
    return subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="nft asks the kernel, which answers root only")
def test_the_kernel_takes_the_wall_around_the_metadata_service(tmp_path: Path) -> None:
    wall = tmp_path / "metadata.nft"
    wall.write_text(file(CASES["dev"], "/etc/clawstack/metadata.nft"))
    judged = _judge("nft", "--check", "--file", str(wall))
    assert judged.returncode == 0, judged.stderr
    wall.write_text(wall.read_text().replace("ip daddr", "ip dadr", 1))
    assert _judge("nft", "--check", "--file", str(wall)).returncode != 0


@pytest.mark.parametrize("name", ["control-plane-1", "worker-x86"])
def test_systemd_understands_every_unit(name: str, tmp_path: Path) -> None:
    units = [entry for entry in parsed(CASES[name])["write_files"] if entry["path"].endswith(".service")]
    assert len(units) == 3
    for unit in units:
        (tmp_path / Path(unit["path"]).name).write_text(unit["content"])
    judged = _judge("systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir())))
    # The programs are not on this machine.
    complaints = [line for line in judged.stderr.splitlines() if "is not executable" not in line]
    assert [line for line in complaints if str(tmp_path) in line] == []
