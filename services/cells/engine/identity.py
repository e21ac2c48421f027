"""Who a process is, so that another worker can find it again and end it: host, session and start time.

The CLI starts its plugins in process groups of their own, but all of them stay in the session that the CLI leads. A
number alone proves nothing (it may be used again); number and start time together do.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Final

import psutil

#: Start times are computed from ticks since boot; a corrected clock moves them by less than this.
_CLOCK_TOLERANCE: Final = 2.0
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessIdentity:
    """A process that leads a session, on one host."""

    host: str
    group: int
    """PID of the leader, which is also the number of its session."""
    started: float
    """Seconds since the epoch."""


def this_host() -> str:
    """The name under which this machine's processes are recorded; Pulumi's lock files carry the same one."""
    return socket.gethostname()


def identify(pid: int) -> ProcessIdentity:
    """The identity of a running process of this machine."""
    return ProcessIdentity(host=this_host(), group=pid, started=psutil.Process(pid).create_time())


def is_alive(pid: int) -> bool:
    """True when the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def survivors(identity: ProcessIdentity) -> list[psutil.Process]:
    """Living processes of the session, leader included; empty when the number belongs to somebody else by now."""
    if identity.host != this_host() or _number_is_reused(identity):
        return []
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) != identity.group:
                continue
            process = psutil.Process(pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.create_time() >= identity.started - _CLOCK_TOLERANCE:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue
    return found


def end(identity: ProcessIdentity) -> int:
    """Kill the session and return once nothing of it lives; returns how many processes had to be killed.

    There is no time limit: whoever calls this must not go on while something of the session lives.
    """
    killed: set[int] = set()
    pause = _FIRST_PAUSE
    while alive := survivors(identity):
        for process in alive:
            _kill(process)
            killed.add(process.pid)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return len(killed)


def _number_is_reused(identity: ProcessIdentity) -> bool:
    try:
        started = psutil.Process(identity.group).create_time()
    except psutil.NoSuchProcess:
        return False
    return abs(started - identity.started) > _CLOCK_TOLERANCE


def _kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return
