"""Which tests stay together, and in which order workers take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.groups import APART, COSTLY, MACHINE, TOGETHER, WORLD, group_of, ordered, touches_real_processes

_REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/e2e/cluster/test_cluster_life.py::test_x[a/b::c]", MACHINE),
        ("tests/integration/cluster/test_cluster_processes.py::test_x", MACHINE),
        ("tests/e2e/spine/test_story.py::test_x", WORLD),
        ("tests/e2e/tenants/test_x.py::TestIt::test_y", "tests/e2e/tenants/test_x.py"),
        ("tests/unit/cluster/test_x.py::test_y", "tests/unit/cluster/test_x.py"),
    ],
)
def test_a_group_is_read_from_the_path(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group


def test_a_module_that_is_apart_is_a_group_of_its_own() -> None:
    for module in APART:
        assert group_of(f"{module}::test_x") == module


def test_the_machine_goes_first_then_the_longest_and_units_fill_up() -> None:
    seconds = {"tests/integration/a.py": 5.0, "tests/integration/b.py": 50.0, "tests/unit/d.py": 90.0, MACHINE: 1.0}
    names = ["tests/unit/c.py", "tests/unit/d.py", "tests/integration/a.py", "tests/integration/b.py", MACHINE]
    names.append("tests/integration/new.py")
    assert ordered(names, seconds) == [
        MACHINE,
        "tests/integration/b.py",
        "tests/integration/new.py",
        "tests/integration/a.py",
        "tests/unit/d.py",
        "tests/unit/c.py",
    ]


def test_every_place_that_is_named_is_there() -> None:
    for place in (*TOGETHER, *APART):
        assert (_REPOSITORY / place).exists(), place
    assert set(TOGETHER.values()) >= COSTLY


def test_all_that_uses_the_one_cluster_is_in_its_group() -> None:
    for file in (_REPOSITORY / "tests").rglob("*.py"):
        if "cluster_fixture import" in file.read_text() and file.name != "test_runs_groups.py":
            assert group_of(file.relative_to(_REPOSITORY).as_posix()) == MACHINE, file


def test_only_tests_of_real_processes_try_again() -> None:
    assert touches_real_processes("tests/integration/a.py::test_x")
    assert touches_real_processes("tests/e2e/a.py::test_x")
    assert not touches_real_processes("tests/unit/a.py::test_x")
