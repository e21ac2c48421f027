"""The shell script does to a state what `tidying` does: what OpenClaw refuses is out of the way, nothing is lost."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstack.untrusted_tree import remove, walk
from tenants.backups.tidying import DEEPEST, LIFTED, LONGEST
from tenants.backups.tidying_script import TIDY
from tests.nesting import nest

_ACCOUNT = 54_321 if os.geteuid() == 0 else None


@pytest.fixture
def ground() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # not pytest's, which is closed to other accounts
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture
def state(ground: Path) -> Path:
    for name in ("state", "workspace", "agents/main"):
        (ground / "state" / name).mkdir(parents=True)
    return ground / "state"


def _tidied(state: Path) -> None:
    if _ACCOUNT is not None:
        os.chown(state, _ACCOUNT, _ACCOUNT)
        for entry in walk(state):
            os.chown(entry.name, _ACCOUNT, _ACCOUNT, dir_fd=entry.folder, follow_symlinks=False)
    script = f'{TIDY}\ntidy "$1" ab12'
    subprocess.run(["/bin/sh", "-eu", "-c", script, "sh", str(state)], check=True, cwd="/", user=_ACCOUNT, timeout=60)


def _files(state: Path) -> list[str]:
    return sorted(entry.name for entry in walk(state) if entry.name.startswith("file-"))


def test_what_is_nested_too_deep_is_lifted_whole(state: Path) -> None:
    for branch in ("a", "b"):
        (state / "workspace" / branch).mkdir()
        nest(state / "workspace" / branch, 1000, "d d")
    before = _files(state)
    _tidied(state)
    assert max(len(entry.trail) + 1 for entry in walk(state) if stat.S_ISDIR(entry.status.st_mode)) == DEEPEST
    assert _files(state) == before
    assert len(before) == 2000


def test_paths_stay_short(state: Path) -> None:
    nest(state / "workspace", 40, "n" * 200)
    before = _files(state)
    _tidied(state)
    folders = [entry for entry in walk(state) if stat.S_ISDIR(entry.status.st_mode)]
    assert max(len("/".join([*entry.trail, entry.name])) for entry in folders) <= LONGEST + 200
    assert _files(state) == before


def test_traps_are_put_aside_and_what_was_closed_is_opened(state: Path, ground: Path) -> None:
    outside = ground / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    (outside / "theirs").touch()
    (state / "workspace").rmdir()
    for link in ("workspace", "credentials", "agents/main/agent", LIFTED):
        (state / link).symlink_to(outside)
    os.mkfifo(state / "state" / "openclaw.sqlite")
    (state / "state" / "openclaw.sqlite-wal").touch()
    (state / "shut" / "inner").mkdir(parents=True)
    (state / "shut" / "inner" / "file").touch(mode=0)
    for closed in ("shut/inner", "shut"):
        (state / closed).chmod(0)
    nest(state / "state", 100, "d")
    _tidied(state)
    assert [path.name for path in outside.iterdir()] == ["theirs"]
    put_aside = {str(path.relative_to(state)).removesuffix(".replaced-ab12") for path in state.rglob("*.replaced-ab12")}
    assert put_aside == {
        "workspace", "credentials", "agents/main/agent", LIFTED, "state/openclaw.sqlite", "state/openclaw.sqlite-wal",
    }  # fmt: skip
    assert (state / "workspace").is_dir()
    assert (state / "shut" / "inner" / "file").stat().st_mode & 0o777 == 0o400
    names = sorted(entry.name for entry in walk(state))
    _tidied(state)
    assert sorted(entry.name for entry in walk(state)) == names, "what is tidy stays as it is"


def test_files_that_are_mostly_holes_become_one_small_archive(state: Path, ground: Path) -> None:
    terabyte = 2**40
    holes = {"disk image": terabyte, "agents/main/a\nb": terabyte, os.fsdecode(b"workspace/caf\xe9"): terabyte}
    for name, size in holes.items():
        (state / name).write_text("begins")
        os.truncate(state / name, size)
    (state / "workspace" / "whole").write_bytes(b"x" * 100_000)
    (state / "state" / "openclaw.sqlite").touch()
    os.truncate(state / "state" / "openclaw.sqlite", terabyte)
    _tidied(state)
    left = {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()}
    assert left == {"packed-ab12.tar", "workspace/whole", "state/openclaw.sqlite"}
    assert (state / "packed-ab12.tar").stat().st_size < 100_000
    subprocess.run(["tar", "-xf", state / "packed-ab12.tar", "-C", ground], check=True)
    assert {(ground / name).stat().st_size for name in holes} == {terabyte}
    with (ground / "disk image").open() as file:
        assert file.read(6) == "begins"


def test_a_file_with_many_names_is_packed_once(state: Path, ground: Path) -> None:
    content = os.urandom(2**22)
    (state / "workspace" / "name-0").write_bytes(content)
    for number in range(1, 2500):
        os.link(state / "workspace" / "name-0", state / "workspace" / f"name-{number}")
    _tidied(state)
    assert [path.name for path in state.rglob("*") if path.is_file()] == ["packed-ab12.tar"]
    assert (state / "packed-ab12.tar").stat().st_size < 2**23
    subprocess.run(["tar", "-xf", state / "packed-ab12.tar", "-C", ground], check=True)
    assert len(list((ground / "workspace").iterdir())) == 2500
    assert (ground / "workspace" / "name-2499").read_bytes() == content


def test_a_few_holes_and_names_are_left_alone(state: Path) -> None:
    (state / "workspace" / "sparse").touch()
    os.truncate(state / "workspace" / "sparse", 2**32)
    os.link(state / "workspace" / "sparse", state / "workspace" / "another name")
    _tidied(state)
    assert sorted(path.name for path in state.rglob("*") if path.is_file()) == ["another name", "sparse"]
