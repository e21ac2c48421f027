"""What a cell puts into its own folders: root neither follows it, nor waits for it, nor leaves it behind."""

from __future__ import annotations

import base64
import os
import re
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.untrusted_tree import walk
from tenants.backups import archive
from tenants.backups.filling import back_up, fill
from tenants.backups.stream import decrypt
from tenants.disk_use import DiskLevel
from tenants.process import accounts
from tenants.process.supervision import GatewayState
from tests.integration.tenants.harness import Cell, Place, set_traps, until
from tests.mounting import small_disk
from tests.nesting import nest
from toolchain.locate import locate

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="files are handed over only where the platform is root")


def _folders_alone(cell: Cell) -> dict[str, Any]:
    """The cell without its gateway, whose inputs for the folders are returned."""
    uid = gid = -1
    if cell.plan.account:
        made = cell.converge(
            "Account", {"name": cell.plan.account, "slug": cell.plan.slug, "root": cell.plan.root, "labels": {}}
        )
        uid, gid = made["uid"], made["gid"]
    inputs = cell.directory_inputs(uid, gid)
    cell.converge("StateDirectory", inputs)
    return inputs


def _of_openclaw(new_cell: Callable[..., Cell]) -> Cell:
    tools = locate()
    return new_cell(runtime={"node": tools.node, "openclaw": tools.openclaw, "version": tools.openclaw_version})


def test_nested_folders_neither_stop_the_erasing_nor_stay(new_cell: Callable[..., Cell]) -> None:
    cell = new_cell(skip_backup=True)
    _folders_alone(cell)
    nest(cell.paths.state, 1500)
    os.mkfifo(cell.paths.state / "pipe")
    cell.destroy()
    assert not cell.paths.root.exists()
    assert not cell.paths.erasing.exists()


def test_a_cell_full_of_traps_is_backed_up_by_openclaw_and_destroyed_without_an_operator(
    new_cell: Callable[..., Cell], place: Place
) -> None:
    cell = _of_openclaw(new_cell)
    _folders_alone(cell)
    outside = place.folder / "outside"
    outside.mkdir(mode=0o755)
    (outside / "not-the-cells").write_text("x")
    set_traps(cell.paths, outside)
    ids, key = accounts.find(cell.spec.account or "-"), cell.spec.backup_key.get_secret_value()
    cell.destroy()
    assert not cell.paths.root.exists()
    assert (outside / "not-the-cells").exists()
    [manifest] = archive.manifests(cell.spec.directories.backups, cell.spec.slug)
    assert manifest.verified
    names = _archived(cell, manifest, key, place.folder / "plain.tar.gz")
    folders = [name for name in names if name.endswith("/nested") or re.search(r"/deep-folders/[^/]+$", name)]
    assert len(folders) == 1000, "all are there, some by number"
    assert [name for name in names if name.endswith("/caf%E9")]
    assert [name for name in names if re.search(r"/packed-[^/]+\.tar$", name)]
    assert not [name for name in names if "not-the-cells" in name], "what a link leads to is not the customer's"
    assert ids is None or accounts.find(cell.spec.account or "-") is None


@pytest.mark.parametrize("pages", [0, 1])
def test_a_cell_whose_gateway_was_killed_while_it_made_its_database_is_destroyed_without_an_operator(
    new_cell: Callable[..., Cell], pages: int
) -> None:
    cell = _of_openclaw(new_cell)
    inputs = _folders_alone(cell)
    database = cell.paths.state / "state" / "openclaw.sqlite"
    database.parent.mkdir(mode=0o700)
    database.touch()
    if pages:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA user_version = 1")
    for path in (database.parent, database):
        os.chown(path, inputs["uid"], inputs["gid"])
    assert database.stat().st_size == pages * 4096
    cell.destroy()
    assert not cell.paths.root.exists()
    [manifest] = archive.manifests(cell.spec.directories.backups, cell.spec.slug)
    assert manifest.verified


def test_a_backup_takes_no_more_of_the_disk_than_is_not_the_databases(
    new_cell: Callable[..., Cell], place: Place
) -> None:
    with small_disk(place.folder / "cells", "64m"):
        cell = _of_openclaw(new_cell)
        inputs = _folders_alone(cell)
        for name in ("state", "workspace/half"):
            (cell.paths.state / name).mkdir()
            os.chown(cell.paths.state / name, inputs["uid"], inputs["gid"])
        big = cell.paths.state / "workspace" / "half" / "big"
        big.write_bytes(os.urandom(30 * 2**20))
        os.chown(big, inputs["uid"], inputs["gid"])
        with pytest.raises(NeedsAttentionError, match=r"more than the \d+ MiB that there is room for") as caught:
            cell.delete("StateDirectory")
        assert caught.value.code == "backup_failed"
        assert big.exists(), "nothing was erased"
        assert not list(cell.paths.root.glob("backup-*")), "what was begun is gone"
        big.unlink()
        cell.destroy()
        assert len(archive.manifests(cell.spec.directories.backups, cell.spec.slug)) == 1


def _archived(cell: Cell, manifest: archive.ArchiveManifest, key: str, plain: Path) -> list[str]:
    sealed = cell.spec.directories.backups / cell.spec.slug / manifest.archive
    with sealed.open("rb") as file, plain.open("wb") as opened:
        decrypt(file, opened, key=base64.b64decode(key), slug=cell.spec.slug)
    with tarfile.open(plain) as tar:
        return [name.rstrip("/") for name in tar.getnames()]


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


def test_a_copy_of_a_state_in_the_workspace_does_not_keep_a_backup_from_being_restored(
    cell: Cell, place: Place
) -> None:
    cell.up()
    copy = cell.paths.workspace / "my copy" / "state"
    copy.mkdir(parents=True)
    (copy / "openclaw.sqlite").write_text("not the assistant's memory")
    assert back_up(cell.spec)
    [manifest] = archive.manifests(cell.spec.directories.backups, cell.spec.slug)
    key = cell.spec.backup_key.get_secret_value()
    cell.destroy()
    cell.spec = cell.spec.model_copy(update={"desired": "suspended"})
    _folders_alone(cell)
    assert fill(cell.spec, archive.Archive(folder=cell.spec.directories.backups, manifest=manifest, key=key))
    assert (cell.paths.state / "state" / "openclaw.sqlite").read_text() == "the memory of this cell\n"
    assert (cell.paths.workspace / "my copy" / "state" / "openclaw.sqlite").exists()


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


def _allocate(file: Path, megabytes: int) -> None:
    with file.open("wb") as taken:
        os.posix_fallocate(taken.fileno(), 0, megabytes * 2**20)


def test_files_that_are_too_much_together_stop_the_gateway_until_there_is_room(cell: Cell) -> None:
    cell.up()
    limit = cell.spec.resources.disk_mb
    for number in range(3):
        _allocate(cell.paths.state / f"big-{number}", limit // 3 + 1)
    until(lambda: cell.status().state is GatewayState.NEEDS_ATTENTION, seconds=60, what="the gateway is stopped")
    assert f"more than the {limit} MiB" in cell.status().last_exit
    assert cell.processes() == []
    use = cell.status().disk
    assert use is not None
    assert use.level is DiskLevel.FULL
    cell.spec = cell.spec.model_copy(update={"answers": {"child_name": "Mia", "child_birthday": "2025-01-01"}})
    with pytest.raises(Exception, match=f"more than the {limit} MiB of its plan. Nothing was deleted"):
        cell.up()
    (cell.paths.state / "big-0").unlink()
    cell.converge("Gateway", {**cell.states["Gateway"][1], "restartNonce": "again"})
    assert cell.status().state is GatewayState.RUNNING


@as_root
def test_a_disk_whose_last_part_is_the_databases_runs_no_gateway(new_cell: Callable[..., Cell], place: Place) -> None:
    with small_disk(place.folder / "cells", "64m"):
        cell = new_cell(skip_backup=True)
        cell.up()
        pid = cell.running_pid()
        _allocate(cell.paths.state / "big", 61)
        until(lambda: not psutil.pid_exists(pid), seconds=60, what="the gateway is stopped")
        until(lambda: "are the database's" in cell.status().last_exit, seconds=30, what="the reason is told")
        assert cell.status().state is GatewayState.STARTING, "nobody needs to act but who makes room"
        (cell.paths.state / "big").unlink()
        until(lambda: cell.status().state is GatewayState.RUNNING, seconds=60, what="it runs again by itself")
        cell.destroy()
