"""A part of the cache is there whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError
from tests.waiting import patient
from toolchain.ground.building import place


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "part" / "1.0"

    def fill(scratch: Path) -> None:
        (scratch / "half").write_text("half")
        raise NeedsAttentionError("it does not verify")

    with pytest.raises(NeedsAttentionError):
        place(folder, fill, waiting=_never)
    assert [file.name for file in folder.parent.iterdir()] == [".locks"]


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "part" / "1.0"
    leftover = folder.with_name(".1.0.unfinished")
    leftover.mkdir(parents=True)
    (leftover / "old").write_text("old")
    assert place(folder, lambda scratch: _write(scratch, "new"), waiting=_never)
    assert [file.name for file in folder.iterdir()] == ["file"]
    assert not leftover.exists()


def test_a_second_set_up_waits_for_the_first_and_then_does_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "part" / "1.0"
    inside, waits = threading.Event(), threading.Event()
    results: list[bool] = []

    def slow(scratch: Path) -> None:
        inside.set()
        assert waits.wait(patient(10))
        _write(scratch, "first")

    first = threading.Thread(target=lambda: results.append(place(folder, slow, waiting=_never)))
    first.start()
    assert inside.wait(patient(10))
    second = place(folder, lambda scratch: _write(scratch, "second"), waiting=waits.set)
    first.join(patient(10))
    assert (results, second) == ([True], False)
    assert (folder / "file").read_text() == "first"


def test_other_accounts_may_read_and_run_but_not_write(tmp_path: Path) -> None:
    folder = tmp_path / "part" / "1.0"

    def fill(scratch: Path) -> None:
        (scratch / "bin").mkdir(mode=0o700)
        for name, mode in (("tool", 0o700), ("data", 0o666)):
            file = scratch / "bin" / name
            file.write_text(name)
            file.chmod(mode)
        (scratch / "link").symlink_to("/nowhere")

    place(folder, fill, waiting=_never)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (folder / "bin").iterdir()}
    assert modes == {"tool": 0o755, "data": 0o644}
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "bin").stat().st_mode & 0o777 == 0o755


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NeedsAttentionError) as refused:
        place(tmp_path / "file" / "part" / "1.0", _never_fill, waiting=_never)
    assert str(tmp_path / "file" / "part") in refused.value.message
    assert "CLAWSTACK_CACHE_DIR" in (refused.value.remedy or "")


def _write(scratch: Path, text: str) -> None:
    (scratch / "file").write_text(text)


def _never() -> None:
    pytest.fail("nobody else is at work")


def _never_fill(_: Path) -> None:
    pytest.fail("must not be reached")
