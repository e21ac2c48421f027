"""What processes cost, read from /proc: the engine's per operation, everything else by its name.

The provisioner gives each Pulumi process a session of its own; its plugins and the policy pack stay in it. A thread looks
at all processes some times in a second. What a process used after the last look is missed; the kernel's own sum over
ended children, which the platform's process carries, shows how much that was.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

PARTS: Final = ("cli", "plugin", "pack", "host", "other")
"""Pulumi itself, resource plugins, policy pack, language host, and what starts them."""
_LOOKS_PER_SECOND: Final = 20
_KERNEL: Final = 2
"""The parent of all kernel threads."""
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MARKS: Final = (
    ("pack", ("pack_runner", "pulumi.policy", "policy-packs/")),
    ("host", ("python_host", "pulumi-language-")),
    ("plugin", ("_provider.main", "pulumi-resource-")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One process as /proc/PID/stat shows it."""

    pid: int
    name: str
    parent: int
    session: int
    started: int
    seconds: float
    """CPU, user and system."""
    children_seconds: float
    """CPU of its children that ended and were waited for, and of theirs."""
    resident: int
    """Bytes."""

    @classmethod
    def of(cls, pid: int, line: bytes) -> Self:
        """Fields of proc(5); the name may hold anything, brackets too."""
        head, _, tail = line.rpartition(b")")
        values = tail.split()
        number = [int(values[index]) for index in (1, 3, 11, 12, 13, 14, 19, 21)]
        parent, session, user, system, children_user, children_system, started, pages = number
        return cls(
            pid=pid,
            name=head.partition(b"(")[2].decode(errors="replace"),
            parent=parent,
            session=session,
            started=started,
            seconds=(user + system) * _TICK,
            children_seconds=(children_user + children_system) * _TICK,
            resident=pages * _PAGE,
        )


def part_of(command: str) -> str:
    """Which part of an operation a process is, by its command line."""
    if command.partition(" ")[0].endswith("/pulumi"):
        return "cli"  # whose arguments name the pack
    return next((part for part, marks in _MARKS if any(mark in command for mark in marks)), "other")


@dataclass(kw_only=True, slots=True)
class _Process:
    part: str
    name: str
    seconds: float
    peak: int


@dataclass(kw_only=True, slots=True)
class _Session:
    """One run of the CLI."""

    processes: dict[tuple[int, int], _Process] = field(default_factory=dict)
    peak: int = 0
    """Most resident memory of all its processes at one moment, bytes; pages that several share count for each."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Everything up to one moment; the difference of two is what happened between them."""

    at: float
    runs: int
    """Sessions seen."""
    by_part: Mapping[str, float]
    """CPU seconds of the engine's processes, by part."""
    ended: float
    """CPU seconds of the platform's ended children, by the kernel's account."""
    by_name: Mapping[str, float]
    """CPU seconds of the named processes."""
    peaks: tuple[int, ...]
    """Memory peak of each session, bytes, oldest first."""
    resident: Mapping[str, int]
    """Most resident memory of each named process so far, bytes."""
    own: float
    """CPU seconds of the looking itself."""


class Meter:
    """Looks until it is left. `platform` names the process whose children are the engine's."""

    def __init__(self, named: Callable[[], Mapping[str, int]], *, platform: str = "platform") -> None:
        """`named`: process numbers by name, asked at every look."""
        self._named = named
        self._platform = platform
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)
        self._sessions: dict[int, _Session] = {}
        self._seconds: dict[str, float] = {}
        self._resident: dict[str, int] = {}
        self._ended = 0.0
        self._own = 0.0
        self._kernel: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def read(self) -> Reading:
        """Up to now."""
        with self._lock:
            self._look()
            parts = dict.fromkeys(PARTS, 0.0)
            for session in self._sessions.values():
                for process in session.processes.values():
                    parts[process.part] += process.seconds
            return Reading(
                at=time.monotonic(),
                runs=len(self._sessions),
                by_part=parts,
                ended=self._ended,
                by_name=dict(self._seconds),
                peaks=tuple(session.peak for session in self._sessions.values()),
                resident=dict(self._resident),
                own=self._own,
            )

    def _watch(self) -> None:
        while not self._stop.wait(1 / _LOOKS_PER_SECOND):
            with self._lock:
                self._look()

    def _look(self) -> None:
        began = time.thread_time()
        seen = _all_processes(self._kernel)
        named = self._named()
        self._note_named(named, seen)
        platform = named.get(self._platform)
        if platform is not None:
            self._note_engine(platform, seen)
        self._own += time.thread_time() - began

    def _note_named(self, named: Mapping[str, int], seen: Mapping[int, Look]) -> None:
        for name, pid in named.items():
            look = seen.get(pid)
            if look is None:
                continue
            # A database server's work is done by processes that it starts; the platform's are counted by themselves.
            family = [other for other in seen.values() if other.parent == pid and other.name == look.name]
            total = look.seconds + sum(other.seconds for other in family)
            if name == self._platform:
                total, self._ended = look.seconds, look.children_seconds
            elif family:
                total += look.children_seconds
            self._seconds[name] = max(self._seconds.get(name, 0.0), total)
            self._resident[name] = max(self._resident.get(name, 0), look.resident)

    def _note_engine(self, platform: int, seen: Mapping[int, Look]) -> None:
        for look in seen.values():
            if look.parent == platform and look.session == look.pid:
                self._sessions.setdefault(look.session, _Session())
        resident: dict[int, int] = {}
        for look in seen.values():
            session = self._sessions.get(look.session)
            if session is None:
                continue
            self._note_process(session, look)
            resident[look.session] = resident.get(look.session, 0) + look.resident
        for number, total in resident.items():
            self._sessions[number].peak = max(self._sessions[number].peak, total)

    @staticmethod
    def _note_process(session: _Session, look: Look) -> None:
        known = session.processes.get((look.pid, look.started))
        if known is None or known.name != look.name or known.part == "other":
            # A gate becomes the CLI, a starter becomes Python: the same process with another name.
            part = part_of(_command(look.pid)) if known is None or look.resident else known.part
            known = _Process(part=part, name=look.name, seconds=0.0, peak=known.peak if known else 0)
            session.processes[look.pid, look.started] = known
        known.seconds = max(known.seconds, look.seconds)
        known.peak = max(known.peak, look.resident)


def _all_processes(kernel: set[str]) -> dict[int, Look]:
    """Everything but the kernel's own threads; those that are met are noted in `kernel` and not looked at again."""
    seen = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if not name.isdigit() or name in kernel:
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - twenty times a second for every process
                look = Look.of(int(name), file.read())
        except OSError:
            continue  # it ended in this moment
        if _KERNEL in (look.pid, look.parent):
            kernel.add(name)
        else:
            seen[look.pid] = look
    return seen


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
