"""Carries out the tasks of a set-up side by side, as `planning` allows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from clawstack.errors import ClawstackError
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board
from toolchain.tasks.planning import Task, startable
from toolchain.tasks.progress import Progress

_LOOK: Final = 0.5
"""Seconds between two looks at what is under way."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it went: what failed and why, and what was therefore not begun."""

    failed: tuple[tuple[str, ClawstackError], ...] = ()
    not_begun: tuple[str, ...] = ()


def carry_out(tasks: Sequence[Task], around: Surroundings, board: Board, *, optional: Collection[str] = ()) -> Outcome:
    """Runs them all. After a failure nothing more is begun, what is under way ends: what it gets need not be got again.

    A failure is told at once. One of an `optional` task is told and then counts as done. Ctrl-C and an error that is not
    clawstack's own (a defect) end the commands under way and are raised.
    """
    done: set[str] = set()
    failed: list[tuple[str, ClawstackError]] = []
    running: dict[Future[None], Task] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool, board.shown():
        try:
            while True:
                if not failed:
                    names = {task.name for task in running.values()}
                    for task in startable(tasks, done=done, running=names):
                        running[pool.submit(task.act, around, board)] = task
                if not running:
                    break
                for future in wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    error = _own_error(future)
                    if error is None or task.name in optional:
                        done.add(task.name)
                    else:
                        failed.append((task.name, error))
                    _tell(
                        board,
                        task,
                        error,
                        optional=task.name in optional,
                        others=running.values() if len(failed) == 1 else (),
                    )
                board.beat()
        except BaseException:
            # The pool would wait minutes for what is under way.
            board.stopping.set()
            raise
    begun = done.union(name for name, _ in failed)
    return Outcome(failed=tuple(failed), not_begun=tuple(task.name for task in tasks if task.name not in begun))


def _own_error(future: Future[None]) -> ClawstackError | None:
    try:
        future.result()
    except ClawstackError as error:
        return error
    return None


def _tell(board: Board, task: Task, error: ClawstackError | None, *, optional: bool, others: Collection[Task]) -> None:
    if error is None:
        return
    progress = Progress(board=board, name=task.name.capitalize())
    if optional:
        progress.skipped(error.sentence())
        return
    progress.failed(error.sentence())
    if others:
        progress.note(f"nothing more is begun; {', '.join(other.name for other in others)} may still end")
