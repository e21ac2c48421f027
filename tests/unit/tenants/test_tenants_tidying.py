"""What keeps OpenClaw from backing a state up is out of the way afterwards, and nothing of the customer's is lost."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstack.untrusted_tree import remove, walk
from tenants.backups import tidying
from tenants.backups.tidying import DEEPEST, LIFTED, LONGEST, readable, tidy
from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tests.nesting import nest

_STRANGER = Ids(uid=54_321, gid=54_321)
_IDS = _STRANGER if os.geteuid() == 0 else None


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[CellPaths]:
    made = CellPaths(root=tmp_path / "cell")
    for name in ("state", "workspace", "tmp", "logs"):
        (made.state / name).mkdir(parents=True)
    yield made
    remove(made.root)


def _tidied(paths: CellPaths) -> None:
    """Tidied as the cell's: what is in there belongs to its account."""
    if _IDS:
        os.chown(paths.state, _IDS.uid, _IDS.gid)
        for entry in walk(paths.state):
            os.chown(entry.name, _IDS.uid, _IDS.gid, dir_fd=entry.folder, follow_symlinks=False)
    tidy(paths, _IDS)


def _depths(paths: CellPaths) -> list[int]:
    return [len(entry.trail) + 1 for entry in walk(paths.state) if stat.S_ISDIR(entry.status.st_mode)]


def test_what_is_nested_too_deep_lies_at_the_top_and_every_file_is_still_there(paths: CellPaths) -> None:
    nest(paths.workspace, 3000)
    nest(paths.state, 200, "other")
    _tidied(paths)
    assert max(_depths(paths)) == DEEPEST
    files = sorted(entry.name for entry in walk(paths.state) if entry.name.startswith("file-"))
    assert files == sorted([f"file-{n}" for n in range(3000)] + [f"file-{n}" for n in range(200)])
    assert paths.workspace.joinpath(*["d"] * 63).is_dir(), "what is not too deep stays where it was"
    again = sorted(entry.name for entry in walk(paths.state))
    tidy(paths, _IDS)
    assert sorted(entry.name for entry in walk(paths.state)) == again, "what is tidy stays as it is"


def test_paths_stay_so_short_that_programs_can_open_them(paths: CellPaths) -> None:
    nest(paths.workspace, 60, "n" * 200)
    _tidied(paths)
    folders = ["/".join([*entry.trail, entry.name]) for entry in walk(paths.state) if entry.name == "n" * 200]
    assert max(len(folder) for folder in folders) <= LONGEST
    assert len([entry for entry in walk(paths.state) if entry.name.startswith("file-")]) == 60


def test_depth_costs_neither_stack_nor_descriptors(paths: CellPaths) -> None:
    nest(paths.workspace, 1500)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 12, hard))
    try:
        _tidied(paths)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert max(_depths(paths)) == DEEPEST


def test_what_its_owner_closed_is_open_to_him_and_to_nobody_else(paths: CellPaths) -> None:
    (paths.workspace / "shut" / "inner").mkdir(parents=True)
    (paths.workspace / "shut" / "inner" / "file").write_text("x")
    for closed in ("shut/inner/file", "shut/inner", "shut", "."):
        (paths.workspace / closed).chmod(0)
    paths.state.chmod(0)
    _tidied(paths)
    modes = {name: (paths.workspace / name).stat().st_mode & 0o777 for name in ("shut", "shut/inner/file")}
    assert modes == {"shut": 0o700, "shut/inner/file": 0o400}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root meets files of others")
def test_somebody_elses_file_is_opened_to_nobody(paths: CellPaths, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch(mode=0o600)
    victim.chmod(0)
    os.chown(paths.state, _STRANGER.uid, _STRANGER.gid)
    os.link(victim, paths.workspace / "theirs")
    tidy(paths, _IDS)
    assert victim.stat().st_mode & 0o777 == 0


def test_a_link_or_pipe_where_openclaw_keeps_its_own_is_put_aside(paths: CellPaths, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    paths.workspace.rmdir()
    (paths.state / "agents" / "main").mkdir(parents=True)
    for link in ("workspace", "credentials", "agents/main/agent", "logs/audit.jsonl", "workspace-of-mine"):
        (paths.state / link).symlink_to(outside)
    os.mkfifo(paths.state / "state" / "openclaw.sqlite")
    (paths.state / "state" / "openclaw.sqlite-wal").touch()
    _tidied(paths)
    assert list(outside.iterdir()) == []
    kept = {
        str(path.relative_to(paths.state)).rpartition(".replaced-")[0] for path in paths.state.rglob("*.replaced-*")
    }
    assert kept == {
        "workspace", "credentials", "agents/main/agent", "logs/audit.jsonl", "state/openclaw.sqlite",
        "state/openclaw.sqlite-wal",
    }  # fmt: skip
    assert not paths.workspace.is_symlink()
    assert paths.workspace.is_dir()
    assert (paths.state / "workspace-of-mine").is_symlink(), "other links are archived as links"


def test_pipes_and_sockets_of_programs_stay_where_they_are(paths: CellPaths) -> None:
    os.mkfifo(paths.workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(paths.state / "s"))
    _tidied(paths)
    assert stat.S_ISFIFO((paths.workspace / "pipe").stat().st_mode)
    assert stat.S_ISSOCK((paths.state / "s").stat().st_mode)


def test_names_that_are_no_text_become_text_and_overwrite_nothing(paths: CellPaths) -> None:
    folder = os.fsencode(paths.workspace) + b"/M\xfcller"
    inner = Path(os.fsdecode(folder + b"/\xff/\xfe"))
    inner.mkdir(parents=True)
    (inner / os.fsdecode(b"k\xe4se")).write_text("one")
    (paths.workspace / "k%E4se").write_text("two")
    Path(os.fsdecode(os.fsencode(paths.workspace) + b"/k\xe4se")).write_text("three")
    Path(os.fsdecode(os.fsencode(paths.workspace) + b"/" + b"\xff" * 255)).write_text("four")
    _tidied(paths)
    assert (paths.workspace / "M%FCller" / "%FF" / "%FE" / "k%E4se").read_text() == "one"
    assert (paths.workspace / "k%E4se").read_text() == "two"
    assert sorted(file.read_text() for file in paths.workspace.iterdir() if file.is_file()) == ["four", "three", "two"]
    assert all(readable(entry.name) == entry.name for entry in walk(paths.state))


def test_a_link_in_place_of_the_folder_for_what_was_deep_leads_nowhere(paths: CellPaths, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (paths.state / LIFTED).symlink_to(outside)
    nest(paths.workspace, 100)
    _tidied(paths)
    assert list(outside.iterdir()) == []
    assert max(_depths(paths)) == DEEPEST


def test_whoever_goes_on_nesting_does_not_keep_the_backup_waiting(
    paths: CellPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    nest(paths.workspace, 200)
    monkeypatch.setattr(tidying, "_SECONDS", 0.0)
    _tidied(paths)
    assert max(_depths(paths)) > DEEPEST
