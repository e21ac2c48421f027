"""Trees that a stranger filled are deleted, handed over and counted whole, and nothing outside of them is touched."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.untrusted_tree import TreeChangedError, hand_over, measure, open_below, remove, walk

_DEEP = 3000
"""More than Python's stack, than PATH_MAX (4096 bytes, two for each level), and than the descriptors allowed here."""
_STRANGER = 54_321
_SHARED_MEMORY = Path("/dev/shm")  # where there is one: a disk takes seconds for what memory takes at once
_PLENTY = 10**12
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def ground() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None))
    yield folder
    remove(folder)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _nest(top: Path, depth: int) -> None:
    top.mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=folder)
        os.mknod("f", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def _fill_with_oddities(top: Path, outside: Path) -> None:
    top.mkdir()
    os.mkfifo(top / "pipe")
    (top / "out").symlink_to(outside)
    (top / "nowhere").symlink_to("/nonexistent")
    (top / "round").symlink_to(top)
    (top / "two\nlines").write_text("x")
    os.mknod(os.fsencode(top) + b"/\xff\xfe")
    (top / os.fsdecode(b"folder\xff")).mkdir()
    os.link(top / "two\nlines", top / "again")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))


@pytest.mark.usefixtures("few_descriptors")
def test_depth_costs_neither_stack_nor_path_nor_descriptors(ground: Path) -> None:
    _nest(ground / "deep", _DEEP)
    assert measure(ground / "deep", most_bytes=_PLENTY, most_entries=_PLENTY).entries == 2 * _DEEP
    if os.geteuid() == 0:
        hand_over(ground / "deep", uid=_STRANGER, gid=_STRANGER)
        assert all(entry.status.st_uid == _STRANGER for entry in walk(ground / "deep"))
    remove(ground / "deep")
    assert list(ground.iterdir()) == []


def test_a_wide_and_branching_tree_is_walked_once_and_deleted_whole(ground: Path) -> None:
    for number in range(40):
        for inner in range(10):
            (ground / "wide" / str(number) / str(inner)).mkdir(parents=True)
            (ground / "wide" / str(number) / str(inner) / "f").touch()
    seen = ["/".join([*entry.trail, entry.name]) for entry in walk(ground / "wide")]
    assert len(seen) == len(set(seen)) == 40 + 2 * 400
    assert all((ground / "wide" / name).exists() for name in seen)
    remove(ground / "wide")
    assert list(ground.iterdir()) == []


def test_pipes_links_sockets_and_names_that_are_no_text_go_and_what_links_point_to_stays(ground: Path) -> None:
    outside = ground / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    _fill_with_oddities(ground / "odd", outside)
    assert measure(ground / "odd", most_bytes=_PLENTY, most_entries=_PLENTY).entries == 9
    remove(ground / "odd")
    (ground / "link").symlink_to(outside)
    remove(ground / "link")
    assert list(ground.iterdir()) == [outside]
    assert (outside / "kept").read_text() == "kept"


def test_deleting_what_is_not_there_or_is_a_file_is_fine(ground: Path) -> None:
    remove(ground / "absent" / "too")
    (ground / "file").touch()
    remove(ground / "file")
    assert list(ground.iterdir()) == []


@as_root
def test_what_is_handed_over_is_the_tree_and_never_what_a_link_leads_to(ground: Path) -> None:
    outside = ground / "outside"
    outside.mkdir()
    (outside / "theirs").touch()
    _fill_with_oddities(ground / "odd", outside)
    os.link(outside / "theirs", ground / "odd" / "hard")
    for entry in walk(ground / "odd"):
        if entry.name != "hard":
            os.chown(entry.name, 4242, 4242, dir_fd=entry.folder, follow_symlinks=False)
    hand_over(ground / "odd", uid=_STRANGER, gid=_STRANGER, owner=4242)
    assert {entry.name for entry in walk(ground / "odd") if entry.status.st_uid != _STRANGER} == {"hard"}
    hand_over(ground / "odd", uid=_STRANGER + 1, gid=_STRANGER + 1)
    assert (outside / "theirs").stat().st_uid == 0, "a second name of somebody's file gives nobody that file"
    assert outside.stat().st_uid == 0


def _swapped_at(step: int, tree: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """`tree/a` becomes a link to `outside/a` just before call number `step`, and a folder again before the next one.

    Tells whether there was such a call.
    """
    calls, swapping = count(1), False

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*arguments: Any, **named: Any) -> Any:
            nonlocal swapping
            if not swapping:
                number, swapping = next(calls), True
                with suppress(FileNotFoundError):  # deleted already
                    if number == step:
                        (tree / "a").rename(tree / "b")
                        (tree / "a").symlink_to(outside / "a")
                    if number == step + 1 and (tree / "a").is_symlink():
                        (tree / "a").unlink()
                        (tree / "b").rename(tree / "a")
                swapping = False
            return call(*arguments, **named)

        return stepping

    for name in ("open", "stat", "scandir", "chown", "rename", "rmdir", "unlink"):
        monkeypatch.setattr(os, name, before(getattr(os, name)))
    return lambda: next(calls) > step


@as_root
@pytest.mark.parametrize(
    "work", [partial(hand_over, uid=_STRANGER, gid=_STRANGER), remove], ids=["hand_over", "remove"]
)
def test_a_folder_swapped_for_a_link_at_any_step_leads_nowhere(
    ground: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], None]
) -> None:
    outside, tree = ground / "outside", ground / "tree"
    (outside / "a" / "inner").mkdir(parents=True)
    (outside / "a" / "inner" / "kept").touch()
    steps, more = 0, True
    while more:
        steps += 1
        (tree / "a" / "inner" / "deep").mkdir(parents=True)
        (tree / "a" / "inner" / "deep" / "file").touch()
        with monkeypatch.context() as patched, suppress(TreeChangedError, TemporaryError):
            reached = _swapped_at(steps, tree, outside, patched)
            work(tree)
        more = reached()
        inside = list(walk(outside))
        assert [entry.name for entry in inside] == ["a", "inner", "kept"], steps
        assert all(entry.status.st_uid == 0 for entry in inside), steps
        remove(tree)
    assert steps > 15  # else nothing was swapped where it hurts


def test_a_folder_that_became_a_link_after_it_was_seen_is_not_entered(ground: Path) -> None:
    outside, tree = _swappable(ground)
    steps = walk(tree)
    assert next(steps).name == "a"
    _swap(tree, outside)
    assert list(steps) == []


def test_a_folder_that_became_a_link_while_it_was_deleted_is_not_emptied(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, tree = _swappable(ground)
    rmdir = os.rmdir

    def swap_then_fail(name: str, *, dir_fd: int) -> None:
        if name == "a" and not (tree / "a").is_symlink():
            _swap(tree, outside)
            raise OSError(39, "Directory not empty")
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", swap_then_fail)
    remove(tree)
    assert not tree.exists()
    assert (outside / "kept").exists()


def _swappable(ground: Path) -> tuple[Path, Path]:
    outside, tree = ground / "outside", ground / "tree"
    outside.mkdir()
    (outside / "kept").touch()
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "inner").touch()
    return outside, tree


def _swap(tree: Path, outside: Path) -> None:
    (tree / "a").rename(tree / "b")
    (tree / "a").symlink_to(outside)


def test_a_folder_that_is_moved_away_in_the_middle_ends_the_walk(ground: Path) -> None:
    _nest(ground / "deep", 3)
    steps = walk(ground / "deep")
    while len(next(steps).trail) < 2:
        pass
    (ground / "deep" / "d" / "d").rename(ground / "elsewhere")
    with pytest.raises(TreeChangedError):
        list(steps)


def test_counting_ends_at_the_limit_and_counts_a_file_with_two_names_once(ground: Path) -> None:
    tree = ground / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(b"x" * 65536)
    os.link(tree / "one", tree / "two")
    with (tree / "holes").open("wb") as file:
        file.truncate(10**9)
    assert measure(tree, most_bytes=_PLENTY, most_entries=_PLENTY).bytes == 65536
    for number in range(100):
        (tree / str(number)).touch()
    assert measure(tree, most_bytes=_PLENTY, most_entries=10).entries == 11
    assert measure(ground / "absent", most_bytes=1, most_entries=1).entries == 0


def test_a_folder_below_is_entered_step_by_step_and_never_through_a_link(ground: Path) -> None:
    (ground / "a" / "b").mkdir(parents=True)
    (ground / "a" / "link").symlink_to(ground)
    os.close(open_below(ground, ["a", "b"]))
    with pytest.raises(NotADirectoryError):
        open_below(ground, ["a", "link"])


def test_what_cannot_be_deleted_says_so(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ground / "tree").mkdir()
    monkeypatch.setattr(os, "rmdir", _busy)
    with pytest.raises(NeedsAttentionError, match="something is mounted below it"):
        remove(ground / "tree")
    monkeypatch.undo()
    shutil.rmtree(ground / "tree")


def _busy(*_: object, **__: object) -> None:
    raise OSError(16, "Device or resource busy")
