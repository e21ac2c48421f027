"""Others judge what machines are given: shellcheck, cloud-init and systemd, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tenants.server.user_data import agent_source, user_data
from tests.unit.server.builders import BOOT_TOKEN, cell, make_settings
from tests.unit.server.test_server_user_data import text_of
from tests.waiting import patient


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shell_is_clean(tmp_path: Path) -> None:
    script = tmp_path / "bootstrap.sh"
    script.write_text(agent_source("bootstrap.sh"))
    seed = tmp_path / "seed.sh"
    unit = text_of("/clawstack-gateway.service")
    [line] = [line for line in unit.splitlines() if line.startswith("ExecStartPre=")]
    seed.write_text("#!/bin/sh\n" + line.split("-euc ", 1)[1].strip("'") + "\n")
    done = subprocess.run(
        ["shellcheck", script, seed], capture_output=True, text=True, timeout=patient(30), check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("cloud-init") is None, reason="cloud-init is not installed")
@pytest.mark.parametrize("settings", [{}, {"ssh_keys": ["ops"]}])
def test_cloud_init_takes_it(tmp_path: Path, settings: dict[str, Any]) -> None:
    file = tmp_path / "user-data"
    file.write_text(user_data(cell(), make_settings(**settings), token=BOOT_TOKEN))
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", file],
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_the_gateway_well_guarded(tmp_path: Path) -> None:
    unit = tmp_path / "clawstack-gateway.service"
    unit.write_text(text_of("/clawstack-gateway.service"))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True,
        text=True,
        timeout=patient(30),
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
