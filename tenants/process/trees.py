"""Finds and ends every process of a cell, also those that left its process group, session or parent.

Where the cell has an account of its own, its processes are all processes of that account. Otherwise they are found by
a variable that the launcher puts into the gateway's environment and that children inherit.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psutil

#: Its value is the cell's root folder.
MARKER: Final = "CLAWSTACK_CELL"
_POLL: Final = 0.05
_KILL_SECONDS: Final = 10.0
_KILL_ALL: Final = "import os, sys; os.setresuid(65535, int(sys.argv[1]), 65535); os.kill(-1, 9)"
"""The kernel kills all of an account's processes at one stroke: one by one, those that fork get away. 65535 is no account's
number, so the account itself cannot stop this program, and nobody else is meant by it."""


@dataclass(frozen=True, kw_only=True)
class TreeOwner:
    """How the processes of one cell are known."""

    root: str
    uid: int | None
    """None when the cell runs as the platform's own user."""


def processes_of(owner: TreeOwner) -> list[psutil.Process]:
    """Living processes of the cell, without this one; zombies do not count."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process, owner)]


def end_all(owner: TreeOwner, *, grace: float, limit: float = 10.0) -> list[int]:
    """SIGTERM, after `grace` seconds SIGKILL, until none is left; the pids that were ended.

    Asks again after every round: a process may have forked in between; an account's are killed together. Gives up after
    `limit` further seconds (a process in uninterruptible sleep) and returns, but never before the first SIGKILL, however
    slow the machine is; `processes_of` tells whether something is left.
    """
    ended: set[int] = set()
    term_until = time.monotonic() + grace
    deadline = term_until + limit
    signalled: set[int] = set()
    hard = False
    while (living := processes_of(owner)) and (not hard or time.monotonic() < deadline):
        hard = time.monotonic() >= term_until
        if hard and owner.uid and os.geteuid() == 0:
            _kill_all(owner.uid)
        for process in living:
            ended.add(process.pid)
            if hard or process.pid not in signalled:
                signalled.add(process.pid)
                _signal(process, hard=hard)
        time.sleep(_POLL)
    return sorted(ended)


def _kill_all(uid: int) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):  # asked again in the next round
        subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-I", "-c", _KILL_ALL, str(uid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # it ends with an error when there is nobody
            check=False,
            timeout=_KILL_SECONDS,
        )


def end_pids(pids: Iterable[int], *, grace: float) -> None:
    """SIGTERM, after `grace` seconds SIGKILL, for processes that were just listed; returns when they are gone."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    for hard, seconds in ((False, grace), (True, _KILL_SECONDS)):
        for process in found:
            _signal(process, hard=hard)
        deadline = time.monotonic() + seconds
        while (found := [process for process in found if _lives(process)]) and time.monotonic() < deadline:
            time.sleep(_POLL)


def _lives(process: psutil.Process) -> bool:
    """A zombie does nothing any more; its parent may be deaf."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def resident_mb(owner: TreeOwner) -> int:
    """Resident memory of the cell in MiB (shared pages count once per process)."""
    total = 0
    for process in processes_of(owner):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total // (1024 * 1024)


def _belongs(process: psutil.Process, owner: TreeOwner) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if owner.uid is not None:
            return owner.uid in process.uids()
        return process.uids().real == os.getuid() and process.environ().get(MARKER) == owner.root
    except psutil.Error:
        return False


def _signal(process: psutil.Process, *, hard: bool) -> None:
    try:
        if hard:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:
        return
