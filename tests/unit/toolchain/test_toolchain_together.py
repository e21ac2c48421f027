"""The tasks of a set-up side by side: order, failures, and what a person reads."""

from __future__ import annotations

import io
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from clawstack.errors import NeedsAttentionError
from tests.unit.toolchain.trees import machine
from toolchain import __main__ as command
from toolchain import parts
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import HEARTBEAT, Board
from toolchain.tasks.planning import Act, Task
from toolchain.tasks.progress import Progress
from toolchain.tasks.together import carry_out

LIMIT = 30.0


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def board(written: io.StringIO) -> Board:
    return Board(Console(file=written, width=200))


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return machine(tmp_path)


def failing(_: Surroundings, __: Board) -> None:
    raise NeedsAttentionError("The disk is full.", remedy="Make room.")


def nothing(_: Surroundings, __: Board) -> None:
    """A task that finds everything there."""


def marking(done: list[str], name: str) -> Act:
    return lambda _, __: done.append(name)


def test_independent_tasks_run_at_the_same_time_and_needs_come_first(around: Surroundings, board: Board) -> None:
    both = threading.Barrier(2)
    done: list[str] = []

    def meet(_: Surroundings, __: Board) -> None:
        both.wait(LIMIT)
        done.append("met")

    tasks = (
        Task(name="last", act=marking(done, "last"), after=("a", "b")),
        Task(name="a", act=meet),
        Task(name="b", act=meet),
    )
    assert not carry_out(tasks, around, board).failed
    assert done == ["met", "met", "last"]


def test_after_a_failure_nothing_is_begun_and_what_is_under_way_ends(
    around: Surroundings, board: Board, written: io.StringIO
) -> None:
    failed = threading.Event()
    done: list[str] = []

    def fail(_: Surroundings, __: Board) -> None:
        failed.set()
        raise NeedsAttentionError("The disk is full.", remedy="Make room.")

    def go_on(_: Surroundings, __: Board) -> None:
        assert failed.wait(LIMIT)
        deadline = time.monotonic() + LIMIT
        while "nothing more is begun" not in written.getvalue():
            assert time.monotonic() < deadline, written.getvalue()
            time.sleep(0.01)
        done.append("long")

    tasks = (
        Task(name="long", act=go_on),
        Task(name="broken", act=fail),
        Task(name="next", act=marking(done, "next"), after=("long",)),
    )
    outcome = carry_out(tasks, around, board)
    assert [(name, error.message) for name, error in outcome.failed] == [("broken", "The disk is full.")]
    assert outcome.not_begun == ("next",)
    assert done == ["long"]
    assert "✗ Broken: The disk is full. Make room." in written.getvalue()
    assert "nothing more is begun; long may still end" in written.getvalue()


def test_an_optional_task_that_fails_is_told_and_stops_nobody(
    around: Surroundings, board: Board, written: io.StringIO
) -> None:
    done: list[str] = []
    tasks = (Task(name="browser", act=failing), Task(name="next", act=marking(done, "next"), after=("browser",)))
    assert not carry_out(tasks, around, board, optional={"browser"}).failed
    assert done == ["next"]
    assert "- Browser: The disk is full. Make room." in written.getvalue()


def test_a_defect_ends_the_commands_under_way_and_is_raised(around: Surroundings, board: Board, tmp_path: Path) -> None:
    ended: list[str] = []

    def sleep(_: Surroundings, board: Board) -> None:
        began.set()
        progress = Progress(board=board, name="Sleeper")
        with pytest.raises(NeedsAttentionError, match="was stopped"):
            progress.run([sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log", doing="sleeping")
        ended.append("sleeper")

    def broken(_: Surroundings, __: Board) -> None:
        assert began.wait(LIMIT)
        raise RuntimeError("a defect")

    began = threading.Event()
    with pytest.raises(RuntimeError, match="a defect"):
        carry_out((Task(name="sleeper", act=sleep), Task(name="broken", act=broken)), around, board)
    assert ended == ["sleeper"]


def test_the_command_names_the_step_the_reason_and_what_was_not_begun(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Surroundings, "read", classmethod(lambda _cls, _environ=None: around))
    tasks = (Task(name="broken", act=failing), Task(name="next", act=nothing, after=("broken",)))
    monkeypatch.setattr(parts, "wanted", lambda _: tasks)
    assert command.main(["setup", "pulumi"]) == 1
    printed = capsys.readouterr().out
    assert "✗ Broken: The disk is full. Make room." in printed
    assert "broken failed; not begun: next." in printed
    assert "the same command goes on from there" in printed


def test_one_line_in_twenty_seconds_names_all_that_is_under_way(written: io.StringIO) -> None:
    clock = Clock()
    board = Board(Console(file=written, width=200), clock=clock)
    with board.doing("Kubernetes", "building"):
        clock.now = 10.0
        with board.doing("OpenClaw", "installing"):
            board.beat()
            assert written.getvalue() == ""
            clock.now = HEARTBEAT + 0.1
            board.beat()
            board.beat()
        clock.now = 2 * HEARTBEAT + 1
        board.beat()
    clock.now = 4 * HEARTBEAT
    board.beat()
    assert written.getvalue().splitlines() == [
        "  … 20 s: Kubernetes building (20 s), OpenClaw installing (10 s)",
        "  … 41 s: Kubernetes building (41 s)",
    ]


def test_the_closing_line_says_how_long_it_took_where_that_is_worth_it(board: Board, written: io.StringIO) -> None:
    now = time.monotonic()
    Progress(board=board, name="Node", began=now).done("26.10.0")
    Progress(board=board, name="Kubernetes", began=now - 312).done("1.34.4 [built]")
    assert written.getvalue().splitlines() == [
        "  ✓ Node: 26.10.0",
        "  ✓ Kubernetes: 1.34.4 [built] (5 min 12 s)",
    ]


def test_on_a_terminal_what_is_under_way_is_drawn_with_the_end_of_its_log(tmp_path: Path) -> None:
    written = io.StringIO()
    board = Board(Console(file=written, width=120, force_terminal=True))
    (tmp_path / "log").write_text("first\nnow [this]\n\n")
    with board.shown(), board.doing("Kubernetes", "building", log=tmp_path / "log"):
        deadline = time.monotonic() + LIMIT
        while "now [this]" not in written.getvalue():
            assert time.monotonic() < deadline, written.getvalue()
            time.sleep(0.05)
    assert "Kubernetes: building" in written.getvalue()
