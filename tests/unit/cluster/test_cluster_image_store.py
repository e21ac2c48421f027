"""A new cluster takes over the unpacked images without changing them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError
from toolchain.cluster.image_store import take_over


@pytest.fixture
def store(tmp_path: Path) -> Path:
    files = tmp_path / "store" / "snapshots" / "1" / "fs"
    files.mkdir(parents=True)
    (files / "program").write_text("program")
    (files / "link").symlink_to("program")
    (files / "folder-link").symlink_to("/nowhere")
    (tmp_path / "store" / "meta.db").write_text("images")
    (tmp_path / "store" / "snapshots").chmod(0o711)
    return tmp_path / "store"


def content(root: Path) -> dict[str, object]:
    return {
        str(path.relative_to(root)): path.readlink() if path.is_symlink() else path.is_dir() or path.read_text()
        for path in root.rglob("*")
    }


def test_files_are_shared_and_databases_are_not(store: Path, tmp_path: Path) -> None:
    before = content(store)
    take_over(store, tmp_path / "root")
    assert content(tmp_path / "root") == before
    program = Path("snapshots/1/fs/program")
    assert (tmp_path / "root" / program).samefile(store / program)
    assert (tmp_path / "root" / "snapshots").stat().st_mode & 0o777 == 0o711
    (tmp_path / "root" / "meta.db").write_text("images and containers")
    assert content(store) == before


def test_where_links_cannot_be_made_everything_is_copied(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refused)
    take_over(store, tmp_path / "root")
    assert content(tmp_path / "root") == content(store)


def test_a_full_disk_is_a_sentence(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(NeedsAttentionError, match="No space left on device"):
        take_over(store, tmp_path / "root")
