"""A lock is its holder's alone: nobody else can open its file, and waiting for it ends with a sentence."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.locks import locked
from tests.waiting import patient

_STRANGER = 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def test_a_lock_is_waited_for_and_then_refused_with_a_sentence(tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(tmp_path / "locks" / "l", seconds=1, what="Cell emma"):
            held.set()
            release.wait(patient(10))

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(patient(10))
    with (
        pytest.raises(TemporaryError, match=rf"Cell emma is being changed by another process \(PID {os.getpid()}, "),
        locked(tmp_path / "locks" / "l", seconds=0, what="Cell emma"),
    ):
        pass
    release.set()
    with locked(tmp_path / "locks" / "l", seconds=10, what="Cell emma"):
        holder.join(patient(10))
    assert not holder.is_alive()


def test_neither_the_file_nor_its_folder_is_open_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir(mode=0o755)
    with locked(folder / "l", seconds=0, what="It"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "l").stat().st_mode) == 0o600


@as_root
def test_another_account_cannot_hold_it(tmp_path: Path) -> None:
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    with locked(tmp_path / "locks" / "l", seconds=0, what="It"):
        pass
    command = ["cat", tmp_path / "locks" / "l"]
    ended = subprocess.run(command, user=_STRANGER, capture_output=True, text=True, check=False, cwd="/")
    assert "Permission denied" in ended.stderr


@as_root
def test_a_folder_that_another_account_made_first_is_refused(tmp_path: Path) -> None:
    everybodys = tmp_path / "everybodys"
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    (everybodys / "locks").mkdir()
    os.chown(everybodys / "locks", _STRANGER, _STRANGER)
    with (
        pytest.raises(NeedsAttentionError, match=f"account {_STRANGER}'s"),
        locked(everybodys / "locks" / "l", seconds=0, what="It"),
    ):
        pass


def test_links_in_place_of_the_folder_or_the_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NeedsAttentionError, match="is a link"), locked(tmp_path / "locks" / "l", seconds=0, what="It"):
        pass
    (tmp_path / "elsewhere" / "l").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / "elsewhere" / "l", seconds=0, what="It"):
        pass
    assert not (tmp_path / "victim").exists()
