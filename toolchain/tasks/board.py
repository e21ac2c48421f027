"""What a person sees while several parts of a machine are set up at once: no two of them write over one another.

On a terminal one living line for each thing under way; in a file or a pipe one line every 20 seconds that names them all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

HEARTBEAT: Final = 20.0
"""Seconds between two lines of life where the output is a file or a pipe."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something under way. `log` is the file whose last line tells how far it is, where it writes one."""

    name: str
    doing: str
    began: float
    log: Path | None = None


class Board:
    """The lines of one set-up; threads may use it at the same time."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console: Final = console
        self.stopping: Final = threading.Event()
        """Set when all that is under way shall end at once."""
        self._clock = clock
        self._lock = threading.Lock()
        self._activities: list[Activity] = []
        self._began = self._spoken = clock()
        self._live = False

    def say(self, mark: str, name: str, text: str) -> None:
        """One line that stays. `mark` may be coloured; what a tool said may hold any brackets."""
        line = Text.from_markup(f"  {mark} ").append(f"{name}: {text}")
        self.console.print(line, soft_wrap=True)

    @contextmanager
    def doing(self, name: str, doing: str, *, log: Path | None = None) -> Iterator[None]:
        """While this is open, the person is told that it is under way."""
        activity = Activity(name=name, doing=doing, began=self._clock(), log=log)
        with self._lock:
            self._activities.append(activity)
        try:
            yield
        finally:
            with self._lock:
                self._activities.remove(activity)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On a terminal, what is under way is drawn while this is open; elsewhere `beat` is all there is."""
        if not self.console.is_terminal or self.console.quiet:
            yield
            return
        with Live(get_renderable=self._drawn, console=self.console, transient=True):
            self._live = True
            try:
                yield
            finally:
                self._live = False

    def beat(self) -> None:
        """Tells what is under way if nothing was told for a while; to be called about twice a second."""
        now = self._clock()
        with self._lock:
            if self._live or not self._activities or now - self._spoken < HEARTBEAT:
                return
            self._spoken = now
            line = under_way(self._activities, now)
        self.console.print(
            Text.from_markup("  [dim]…[/] ").append(f"{now - self._began:.0f} s: {line}"), soft_wrap=True
        )

    def _drawn(self) -> Group:
        now = self._clock()
        with self._lock:
            activities = tuple(self._activities)
        return Group(*(Spinner("dots", text=_line(activity, now)) for activity in activities))


def under_way(activities: Sequence[Activity], now: float) -> str:
    """All that is under way in one line, the oldest first."""
    return ", ".join(f"{each.name} {each.doing} ({now - each.began:.0f} s)" for each in activities)


def _line(activity: Activity, now: float) -> Text:
    text = Text(f"{activity.name}: {activity.doing} {now - activity.began:.0f} s  ", no_wrap=True, overflow="ellipsis")
    return text.append(_last_line(activity.log), style="dim") if activity.log else text


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as source:
            source.seek(0, 2)
            source.seek(max(0, source.tell() - 400))
            lines = source.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:70]
