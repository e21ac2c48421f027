"""Starts processes that outlive their starter, knows them again, and stops exactly those."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolchain.cluster.layout import MARK

_PROC: Final = Path("/proc")
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process and when it started (clock ticks since boot): numbers are used again, the pair is not."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it runs; one that has ended and was not collected yet does not."""
        seen = _look(self.pid)
        return seen is not None and seen == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send it, unless it is gone."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        _collect(self.pid)


def start(command: Sequence[str], *, log: Path, environ: Mapping[str, str]) -> Process:
    """A process in a session of its own, with nothing to read and its output in `log`."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, sink, 1),
            (os.POSIX_SPAWN_DUP2, sink, 2),
        ]
        # A Python that has waited for nobody keeps the signals it ignores; its children shall not.
        pid = os.posix_spawn(
            command[0],
            tuple(command),
            environ,
            file_actions=actions,
            setsid=True,
            setsigdef=[signal.SIGINT, signal.SIGPIPE],
        )
    finally:
        os.close(sink)
    return Process(pid=pid, started=_look(pid) or 0)


def stop(processes: Iterable[Process], *, grace: float, first: signal.Signals = signal.SIGTERM) -> None:
    """Ask all to end (with the signal `first`), wait up to `grace` seconds, end those that did not."""
    waiting = list(processes)
    for process in waiting:
        process.signal(first)
    await_(lambda: not _living(waiting), seconds=grace)
    for process in _living(waiting):
        process.signal(signal.SIGKILL)
    await_(lambda: not _living(waiting), seconds=5)


def marked(run: str) -> tuple[Process, ...]:
    """Every process that carries the mark of this run, also one that nobody wrote down."""
    wanted = f"{MARK}={run}".encode()
    return tuple(
        Process(pid=pid, started=started)
        for pid in _pids()
        if wanted in _environ(pid) and (started := _look(pid)) is not None
    )


def here() -> Process:
    """The calling process."""
    return Process(pid=os.getpid(), started=_look(os.getpid()) or 0)


def await_(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition came to hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _living(processes: Iterable[Process]) -> list[Process]:
    living = []
    for process in processes:
        _collect(process.pid)
        if process.alive:
            living.append(process)
    return living


def _collect(pid: int) -> None:
    """Let the kernel forget a child of ours that has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _look(pid: int) -> int | None:
    """When it started, None where it does not run."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # After the name: state is the first field, the start the twentieth (proc(5): fields 3 and 22).
    return None if fields[0] in "ZX" else int(fields[19])


def _environ(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
