"""What a cluster needs of a machine's control groups, old kind and new."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cluster.layouts import layout
from toolchain.cluster import machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    return tmp_path


def test_one_hierarchy_hands_down_every_controller(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda file, text: asked.append(f"{file.name} {text}"))
    (groups / "cgroup.controllers").write_bytes(b"cpu memory pids")
    machine._make_groups(layout(groups))
    assert asked == [f"cgroup.subtree_control +{name}" for name in ("cpu", "memory", "pids")]
    assert (groups / layout(groups).cgroup).is_dir()


def test_many_hierarchies_get_a_group_each_and_aliases_none(groups: Path) -> None:
    for name in ("cpu", "memory"):
        (groups / name).mkdir()
        (groups / name / "cgroup.procs").touch()
    (groups / "cpu,cpuacct").symlink_to("cpu")
    (groups / "not-one").mkdir()
    machine._make_groups(layout(groups))
    made = {str(path.relative_to(groups)) for path in groups.glob(f"**/{layout(groups).cgroup}")}
    assert made == {f"{name}/{layout(groups).cgroup}" for name in ("cpu", "memory")}


def test_groups_are_removed_with_all_below_them(groups: Path) -> None:
    (groups / "cpu").mkdir()
    (groups / "cpu" / "cgroup.procs").touch()
    (groups / "cpu" / layout(groups).cgroup / "kubepods" / "pod1").mkdir(parents=True)
    machine._remove_groups(layout(groups))
    assert [path.name for path in (groups / "cpu").iterdir()] == ["cgroup.procs"]


def test_mounts_are_those_below_a_folder_and_not_beside_it(tmp_path: Path) -> None:
    assert machine.mounts_below(tmp_path) == []
    assert "/proc" in machine.mounts_below(Path("/"))
    assert "/proc" not in machine.mounts_below(Path("/pro"))
