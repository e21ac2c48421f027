"""What a cell's own account does before each start goes past what the cell put in the workspace's place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tenants.namespace.files import CONFIG_MOUNT, ROOT_FILE, SEED_SCRIPT, WORKSPACE_MOUNT
from tenants.server.places import WORKSPACE, cell_root
from tenants.server.units import seed_script
from tests.waiting import patient


def _on_a_server(folder: Path) -> str:
    script = seed_script("emma").replace(str(cell_root("emma")), str(folder / "emma"))
    return script.replace(str(WORKSPACE), str(folder / "persona"))


def _in_a_pod(folder: Path) -> str:
    (folder / "config").mkdir()
    (folder / "config" / ROOT_FILE).write_text("{}")
    script = SEED_SCRIPT.replace("cd /cell", f"cd {folder}").replace(str(CONFIG_MOUNT), str(folder / "config"))
    return f"SLUG=emma; {script.replace(str(WORKSPACE_MOUNT), str(folder / 'persona'))}"


@pytest.mark.parametrize("script", [_on_a_server, _in_a_pod])
@pytest.mark.parametrize("left", ["link", "pipe"])
def test_a_link_or_a_pipe_stops_no_start(script: Callable[[Path], str], left: str, tmp_path: Path) -> None:
    (tmp_path / "persona").mkdir()
    (tmp_path / "persona" / "USER.md").write_text("Mia")
    workspace = tmp_path / "emma" / "state" / "workspace"
    workspace.parent.mkdir(parents=True)
    if left == "link":
        workspace.symlink_to("/nonexistent")
    else:
        workspace.mkdir()
        os.mkfifo(workspace / "USER.md")
    subprocess.run(["sh", "-c", script(tmp_path)], check=True, timeout=patient(10))
    assert (workspace / "USER.md").read_text() == "Mia"
    assert not workspace.is_symlink()
