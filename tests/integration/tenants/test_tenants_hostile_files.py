"""What a cell puts into its own folders: root neither follows it, nor waits for it, nor leaves it behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.untrusted_tree import walk
from tenants.process import accounts
from tests.integration.tenants.harness import Cell, Place

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files are handed over only where the platform is root")


def _folders_alone(cell: Cell) -> dict[str, Any]:
    """The cell without its gateway, whose inputs for the folders are returned."""
    uid = gid = -1
    if cell.plan.account:
        made = cell.converge("Account", {"name": cell.plan.account, "slug": cell.plan.slug, "labels": {}})
        uid, gid = made["uid"], made["gid"]
    inputs = cell.directory_inputs(uid, gid)
    cell.converge("StateDirectory", inputs)
    return inputs


def test_nested_folders_neither_stop_the_erasing_nor_stay(new_cell: Callable[..., Cell]) -> None:
    cell = new_cell(skip_backup=True)
    _folders_alone(cell)
    folder = os.open(cell.paths.state, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("nested", dir_fd=folder)
        os.mkfifo("pipe", dir_fd=folder)
        inner = os.open("nested", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    cell.destroy()
    assert not cell.paths.root.exists()
    assert not cell.paths.erasing.exists()


@as_root
def test_a_new_account_is_given_the_cells_files_and_nobody_elses(new_cell: Callable[..., Cell], place: Place) -> None:
    cell = new_cell()
    inputs = _folders_alone(cell)
    victim = place.folder / "victim"
    victim.touch()
    os.link(victim, cell.paths.state / "hard")
    (cell.paths.state / "link").symlink_to(victim)
    (cell.paths.state / "tmp" / "mine").touch()
    for name in ("link", "tmp/mine"):
        os.chown(cell.paths.state / name, inputs["uid"], inputs["gid"], follow_symlinks=False)
    other = accounts.Ids(uid=59_990, gid=59_990)
    cell.converge("StateDirectory", {**inputs, "uid": other.uid, "gid": other.gid})
    assert victim.stat().st_uid == 0
    assert {entry.name for entry in walk(cell.paths.state) if entry.status.st_uid != other.uid} == {"hard"}


def test_a_pipe_in_place_of_the_archive_is_refused_and_nothing_is_erased(cell: Cell, place: Place) -> None:
    cell.up()
    place.behave(pipe=True)
    cell.delete("Gateway")
    with pytest.raises(NeedsAttentionError, match="is not a file that OpenClaw wrote") as caught:
        cell.delete("StateDirectory")
    assert "nothing was erased" in str(caught.value.remedy)
    assert (cell.paths.state / "state" / "openclaw.sqlite").exists()
    assert list(cell.paths.root.glob("backup-*")) == []
    place.behave()
    cell.destroy()
    assert not cell.paths.root.exists()


def test_a_link_in_place_of_the_workspace_is_put_aside_not_followed(cell: Cell, place: Place) -> None:
    """The cell owns its workspace; root must not be tricked into writing elsewhere."""
    cell.up()
    target = place.folder / "target"
    target.mkdir()
    workspace = cell.paths.workspace
    for file in workspace.iterdir():
        file.unlink()
    workspace.rmdir()
    workspace.symlink_to(target)
    cell.spec = cell.spec.model_copy(update={"answers": {"child_name": "Mia", "child_birthday": "2025-01-01"}})
    cell.up()
    assert list(target.iterdir()) == []
    assert not workspace.is_symlink()
    assert "Child: Mia" in (workspace / "USER.md").read_text()
    assert [link.readlink() for link in cell.paths.state.glob("workspace.replaced-*")] == [target], "kept aside"


def test_a_file_link_in_the_workspace_is_replaced_not_followed(cell: Cell, place: Place) -> None:
    cell.up()
    victim = place.folder / "victim"
    victim.write_text("untouched")
    user = cell.paths.workspace / "USER.md"
    user.unlink()
    user.symlink_to(victim)
    cell.spec = cell.spec.model_copy(update={"answers": {"child_name": "Mia", "child_birthday": "2025-01-01"}})
    cell.up()
    assert victim.read_text() == "untouched"
    assert "Child: Mia" in user.read_text()
    assert not user.is_symlink()
