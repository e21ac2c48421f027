"""Processes that outlive their starter are known again, and exactly those are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clawstack.errors import ConflictError, InvalidInputError
from tests.unit.cluster.layouts import layout
from toolchain.cluster import processes
from toolchain.cluster.layout import MARK
from toolchain.cluster.lifecycle import attach, start
from toolchain.cluster.processes import Process
from toolchain.cluster.record import Book, Record

SLEEP = ("/bin/sleep", "60")


def environ(run: str) -> dict[str, str]:
    return {"PATH": os.defpath, MARK: run}


def test_a_process_is_alive_until_it_is_stopped(tmp_path: Path) -> None:
    process = processes.start(SLEEP, log=tmp_path / "log", environ=environ("one"))
    assert process.alive
    assert os.getsid(process.pid) == process.pid, "a signal to our group does not reach it"
    processes.stop([process], grace=5)
    assert not process.alive


def test_a_process_that_ended_and_was_not_collected_is_not_alive(tmp_path: Path) -> None:
    process = processes.start(("/bin/true",), log=tmp_path / "log", environ=environ("one"))
    assert processes.await_(lambda: not process.alive, seconds=5)
    processes.stop([process], grace=0)


def test_another_process_under_the_same_number_is_left_alone(tmp_path: Path) -> None:
    process = processes.start(SLEEP, log=tmp_path / "log", environ=environ("one"))
    older = replace(process, started=process.started - 1)
    assert not older.alive
    processes.stop([older], grace=0)
    assert process.alive
    processes.stop([process], grace=5)


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    command = ("/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    process = processes.start(command, log=tmp_path / "log", environ=environ("one"))
    assert processes.await_(lambda: (tmp_path / "log").read_text() == "ready\n", seconds=5)
    processes.stop([process], grace=0.2)
    assert not process.alive


def test_children_that_nobody_wrote_down_are_found_by_the_mark(tmp_path: Path) -> None:
    command = ("/bin/sh", "-c", "sleep 60 & echo $!; exec sleep 61")
    parent = processes.start(command, log=tmp_path / "log", environ=environ("marked-run"))
    other = processes.start(SLEEP, log=tmp_path / "other", environ=environ("marked-run-2"))
    assert processes.await_(lambda: (tmp_path / "log").read_text().endswith("\n"), seconds=5)
    child = int((tmp_path / "log").read_text())
    assert {process.pid for process in processes.marked("marked-run")} == {parent.pid, child}
    processes.stop([*processes.marked("marked-run"), other], grace=0)
    assert processes.marked("marked-run") == ()


def test_a_second_start_or_stop_at_the_same_time_is_refused(tmp_path: Path) -> None:
    book = Book(folder=tmp_path)
    with book.turn(), pytest.raises(ConflictError, match="Another start or stop"), Book(folder=tmp_path).turn():
        pass
    with book.turn():
        pass


def test_a_cluster_in_use_is_not_taken_away(tmp_path: Path) -> None:
    book = Book(folder=tmp_path)
    book.write(Record(layout=layout(tmp_path / "data"), owner=processes.here(), ready=True))
    with pytest.raises(ConflictError, match=f"started by process {os.getpid()}"):
        start(data=tmp_path / "other", book=book)
    assert not (tmp_path / "other").exists()


def test_a_cluster_whose_owner_died_is_nobodys(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    owner = Process(pid=int(child.stdout), started=1)
    book = Book(folder=tmp_path)
    book.write(Record(layout=layout(tmp_path / "data"), owner=owner, ready=True))
    assert attach(book=book) is None


def test_one_that_shall_stay_is_in_use_while_anything_of_it_runs(tmp_path: Path) -> None:
    process = processes.start(SLEEP, log=tmp_path / "log", environ=environ("stays"))
    record = Record(layout=layout(tmp_path), owner=None, ready=True, processes={"etcd": process})
    assert record.in_use
    assert not replace(record, ready=False).in_use, "a start that was killed on its way"
    os.kill(process.pid, signal.SIGKILL)
    assert processes.await_(lambda: not record.in_use, seconds=5)
    processes.stop([process], grace=0)


def test_a_folder_whose_name_is_too_long_for_a_socket_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.cluster.builds.ensure", lambda *_: None)
    monkeypatch.setattr("toolchain.cluster.machine.refuse_neighbours", lambda _: None)
    with pytest.raises(InvalidInputError, match="at most 85 characters"):
        start(data=tmp_path / ("x" * 85), book=Book(folder=tmp_path / "run"))


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("years of work")
    monkeypatch.setattr("toolchain.cluster.builds.ensure", lambda *_: None)
    monkeypatch.setattr("toolchain.cluster.machine.refuse_neighbours", lambda _: None)
    with pytest.raises(InvalidInputError, match="holds something else and is not touched"):
        start(data=tmp_path / "data", book=Book(folder=tmp_path / "run"))
    assert (tmp_path / "data" / "thesis.txt").read_text() == "years of work"
    assert Book(folder=tmp_path / "run").read() is None
