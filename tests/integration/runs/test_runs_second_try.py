"""A failed test of real processes runs once more, alone; the closing line counts every test once."""

from __future__ import annotations

import re

from tests.integration.runs.conftest import Run

#: What .ci/run takes for the closing line.
_CLOSING = re.compile(r"^=+ .*(passed|failed|error|skipped|no tests ran).* =+$")
_FAILS_AT_FIRST = """
import os, pathlib
seen = pathlib.Path(os.environ["RUN_FOLDER"], "seen-" + __name__)

def test_calm(): pass

def test_shaky():
    before = seen.exists()
    seen.touch()
    assert before, "the first time"
"""
_FAILS_ALWAYS = """
def test_calm(): pass
def test_wrong(): assert 1 == 2, "whenever"
"""
_FIXTURES = """
import os, pathlib, pytest
folder = pathlib.Path(os.environ["RUN_FOLDER"])

@pytest.fixture
def sets_up():
    before = (folder / "set-up").exists()
    (folder / "set-up").touch()
    assert before, "set-up"

@pytest.fixture
def tears_down():
    yield
    before = (folder / "torn-down").exists()
    (folder / "torn-down").touch()
    assert before, "teardown"

def test_before(sets_up): pass
def test_after(tears_down): pass
"""
_KILLS_ITS_WORKER = """
import os, signal
def test_first(): pass
def test_kills():
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
def test_last(): pass
"""


def closing(output: str) -> str:
    """The last line, which must be the closing one, without its time."""
    line = output.rstrip().splitlines()[-1]
    assert _CLOSING.match(line), line
    return line.strip("= ").rsplit(" in ", 1)[0]


def test_every_test_counts_once_and_what_passed_alone_is_named(run: Run) -> None:
    done = run(
        "-n", "2", "--second-try",
        integration__a=_FAILS_AT_FIRST, e2e__b=_FAILS_AT_FIRST, integration__c=_FAILS_ALWAYS, integration__d=_FIXTURES,
        integration__e=_KILLS_ITS_WORKER, unit__f=_FAILS_AT_FIRST,
    )  # fmt: skip
    assert done.returncode == 1
    assert closing(done.stdout) == "2 failed, 6 passed, 5 flaky"
    *_, line, one, two, three, four, five, _ = done.stdout.rstrip().splitlines()
    assert line == "flaky: 5"
    assert {one, two, three, four, five} == {
        "  tests/integration/test_a.py::test_shaky",
        "  tests/e2e/test_b.py::test_shaky",
        "  tests/integration/test_d.py::test_before",
        "  tests/integration/test_d.py::test_after",
        "  tests/integration/test_e.py::test_kills",
    }
    assert done.stdout.count("\nE       AssertionError: the first time") == 3, "how they failed is told"
    assert done.stdout.count("\nE   AssertionError: whenever") == 2, "both tries are shown"


def test_a_run_without_workers_is_green_too_when_all_that_failed_passes(run: Run) -> None:
    done = run("-n", "0", "--second-try", integration__a=_FAILS_AT_FIRST)
    assert done.returncode == 0
    assert closing(done.stdout) == "1 passed, 1 flaky"


def test_many_failures_are_no_flakes(run: Run) -> None:
    many = "import pytest\n@pytest.mark.parametrize('number', range(26))\ndef test_it(number): assert not 1\n"
    done = run("-n", "0", "--second-try", integration__a=many)
    assert done.returncode == 1
    assert closing(done.stdout) == "26 failed"
    assert "no second try: 26 tests failed" in done.stdout


def test_tests_that_no_worker_was_left_for_run_at_the_end(run: Run) -> None:
    words = ("-n", "1", "--max-worker-restart", "0", "--second-try")
    done = run(*words, integration__a=_KILLS_ITS_WORKER, unit__b="def test_calm(): pass\n")
    assert done.returncode == 0
    assert closing(done.stdout) == "3 passed, 1 flaky"


def test_tests_without_a_result_are_failures_where_nothing_is_repeated(run: Run) -> None:
    done = run("-n", "1", "--max-worker-restart", "0", unit__a=_KILLS_ITS_WORKER)
    assert done.returncode == 1
    assert closing(done.stdout) == "2 failed, 1 passed"
    assert "No result came: the process that was to run it ended before." in done.stdout
