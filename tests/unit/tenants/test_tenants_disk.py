"""How near to its limit a cell's disk is, and what the launcher does about it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenants.disk_use import DiskLevel, DiskUse
from tenants.paths import CellPaths
from tenants.process.disk import DiskWatch, free_and_reserve, lacks_room, used
from tenants.process.launch import Limits
from tenants.process.trees import MARKER, TreeOwner
from tests.mounting import small_disk

_MB = 1024 * 1024
_LIMITS = Limits(memory_mb=1, cpu=1.0, disk_mb=8, max_processes=1, max_open_files=1)


@pytest.fixture(name="small_disk")
def mounted(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "64m"):
        yield tmp_path


def _allocate(file: Path, megabytes: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as taken:
        os.posix_fallocate(taken.fileno(), 0, megabytes * _MB)


@pytest.mark.parametrize(
    ("used_mb", "entries", "level"),
    [(89, 1, "fine"), (90, 1, "near"), (100, 1, "near"), (101, 1, "full"), (1, 900, "near"), (1, 1001, "full")],
)
def test_bytes_and_files_count_alike(used_mb: int, entries: int, level: str) -> None:
    use = DiskUse(used_mb=used_mb, limit_mb=100, entries=entries, most_entries=1000)
    assert use.level is DiskLevel(level)
    assert (use.trouble() is None) == (level != "full")
    assert DiskUse.read({"disk": use.record()}) == use
    assert DiskUse.read({}) is None


def test_many_files_within_the_limit_of_each_are_counted_together(small_disk: Path) -> None:
    for number in range(3):
        _allocate(small_disk / ("private/tmp" if number else "state") / str(number), 3)
    assert used(CellPaths(root=small_disk), _LIMITS).level is DiskLevel.FULL
    (small_disk / "state" / "0").unlink()
    assert used(CellPaths(root=small_disk), _LIMITS).level is DiskLevel.FINE
    for number in range(8 * 64):
        (small_disk / "state" / f"empty-{number}").touch()
    assert "more than the 512 files" in str(used(CellPaths(root=small_disk), _LIMITS).trouble())


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_a_file_without_a_name_counts_as_long_as_a_process_of_the_cell_holds_it(small_disk: Path, how: str) -> None:
    paths = CellPaths(root=small_disk)
    _allocate(paths.state / "file", 9)
    program = (
        "import mmap, os, sys; file = open(sys.argv[1], 'r+b'); held = mmap.mmap(file.fileno(), 0) if sys.argv[2] == 'mapped'"
        " else file; held is file or file.close(); os.unlink(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    owner = TreeOwner(root=str(small_disk), uid=None)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program, str(paths.state / "file"), how],
        env={MARKER: owner.root}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holding:  # fmt: skip
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        assert used(paths, _LIMITS).level is DiskLevel.FINE, "no name leads to it"
        watch = DiskWatch(paths, _LIMITS, owner).look()
        assert watch is not None
        assert watch.level is DiskLevel.FULL
        holding.communicate()
    assert used(paths, _LIMITS, owner).level is DiskLevel.FINE


def test_a_folder_for_a_backup_takes_what_a_backup_may_and_what_is_more_counts(small_disk: Path) -> None:
    paths = CellPaths(root=small_disk)
    _allocate(paths.state / "file", 7)
    _allocate(small_disk / "backup-1" / "archive", 16)
    assert used(paths, _LIMITS).level is DiskLevel.FINE
    _allocate(small_disk / "backup-1" / "the-cells", 2)
    assert used(paths, _LIMITS).level is DiskLevel.FULL


def test_a_count_is_due_at_once_when_somebody_writes_much(small_disk: Path) -> None:
    watch = DiskWatch(CellPaths(root=small_disk), _LIMITS)
    assert watch.look() is not None
    assert watch.look() is None, "not twice within a minute"
    _allocate(small_disk / "state" / "file", 1)
    seen = watch.look()
    assert seen is not None
    assert seen.used_mb == 1


def test_below_the_databases_reserve_there_is_no_room_and_above_it_only_with_a_margin(small_disk: Path) -> None:
    assert lacks_room(small_disk / "gone") is None
    free, reserve = free_and_reserve(small_disk)
    assert (free, reserve) == (64 * _MB, int(64 * _MB * 0.05))
    assert lacks_room(small_disk) is None
    _allocate(small_disk / "most", 61)
    assert "of which 3 MiB are the database's" in str(lacks_room(small_disk))
    _allocate(small_disk / "most", 61)
    with (small_disk / "most").open("r+b") as file:
        file.truncate(60 * _MB)
    assert lacks_room(small_disk) is None
    assert lacks_room(small_disk, again=True) is not None
