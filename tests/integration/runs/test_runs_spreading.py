"""Tests that share something stay in one worker, and what is costly ends with its group."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.runs.conftest import Run

_TELLS = """
import json, os, pathlib, time, pytest
folder = pathlib.Path(os.environ["RUN_FOLDER"])

def tell(word):
    with (folder / "told").open("a") as file:
        file.write(json.dumps([os.environ.get("PYTEST_XDIST_WORKER"), __name__, word]) + "\\n")

@pytest.fixture(scope="session")
def costly():
    yield
    tell("ended")

def test_one(costly): tell("one"); time.sleep(0.1)
def test_two(costly): tell("two"); time.sleep(0.1)
"""


def told(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


def test_groups_stay_together_the_machines_first_and_units_at_last(run: Run, tmp_path: Path) -> None:
    files = dict.fromkeys(
        ("unit__a", "integration__b", "e2e/cluster__c", "integration/cluster__d", "e2e/spine__e"), _TELLS
    )
    done = run("-n", "2", **files)
    assert done.returncode == 0
    lines = told(tmp_path)
    workers = {name: {worker for worker, of, _ in lines if of == name} for name in "".join(".")}
    ran = [name for _, name, word in lines if word == "one"]
    assert len({worker for worker, name, _ in lines if name in {"test_c", "test_d"}}) == 1, "one Kubernetes node"
    assert all(len({worker for worker, of, _ in lines if of == name}) == 1 for name in ran), workers
    assert "test_c" in ran[:2] or "test_d" in ran[:2]
    assert ran[-1] == "test_a" or ran[-2] == "test_a"


def test_what_is_costly_ends_before_the_next_group(run: Run, tmp_path: Path) -> None:
    done = run("-n", "1", **{"e2e/cluster__c": _TELLS, "unit__a": _TELLS})
    assert done.returncode == 0
    assert [(name, word) for _, name, word in told(tmp_path)] == [
        ("test_c", "one"), ("test_c", "two"), ("test_c", "ended"), ("test_a", "one"), ("test_a", "two"), ("test_a", "ended")
    ]  # fmt: skip
