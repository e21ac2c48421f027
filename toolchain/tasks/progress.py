"""One part of a set-up towards a person: a line when it starts, a line when it is there, and its commands in between."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.tasks.board import Board

_TAIL: Final = 15
"""Lines of a failed command that are worth showing."""
_WORTH_TELLING: Final = 1.0
"""Seconds from which on it is told how long a part took."""
_LOOK: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Tells a person what happens; `name` is the part that the lines are about, its time runs from here on."""

    board: Board
    name: str
    began: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        """A line about what is about to happen."""
        self.board.say("[dim]…[/]", self.name, text)

    def ready(self, text: str) -> None:
        """The closing line of a part that is now there."""
        self.board.say("[green]✓[/]", self.name, text)

    def done(self, text: str) -> None:
        """The closing line, with the time that it took where that was more than a look."""
        took = time.monotonic() - self.began
        self.ready(f"{text} ({minutes(took)})" if took >= _WORTH_TELLING else text)

    def skipped(self, text: str) -> None:
        """The closing line of a part that this machine cannot have; says why and what would help."""
        self.board.say("[yellow]-[/]", self.name, text)

    def failed(self, text: str) -> None:
        """The closing line of a part that did not come about; says why and what mends it."""
        self.board.say("[red]✗[/]", self.name, text)

    @contextmanager
    def doing(self, what: str, *, log: Path | None = None) -> Iterator[None]:
        """While this is open, `what` counts as under way."""
        with self.board.doing(self.name, what, log=log):
            yield

    def run(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        doing: str,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
        limit: float = 1800,
    ) -> None:
        """Runs a command that may take minutes, its output going to `log`, within `limit` seconds.

        Raises NeedsAttentionError with the end of the output when it fails or does not end in time.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as sink, self.doing(doing, log=log):
            child = _start(command, folder, environ, sink.fileno())
            began = time.monotonic()
            try:
                while child.poll() is None:
                    if time.monotonic() - began > limit:
                        raise self._failure(command, log, f"did not end within {limit:.0f} seconds")
                    if self.board.stopping.is_set():
                        raise self._failure(command, log, "was stopped")
                    self.board.beat()
                    _wait(child)
            finally:
                _stop(child)
        if child.returncode:
            raise self._failure(command, log, f"ended with code {child.returncode}")

    def _failure(self, command: Sequence[str | Path], log: Path, what: str) -> NeedsAttentionError:
        lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
        shown = "\n".join(f"    {line}" for line in lines)
        return NeedsAttentionError(
            f"{self.name}: `{' '.join(map(str, command[:3]))} ...` {what}:\n{shown}\n",
            code="setup_failed",
            remedy=f"The whole output is in {log}. Mend what it names and run the same set-up again; it goes on from there.",
        )


def _start(
    command: Sequence[str | Path], folder: Path | None, environ: Mapping[str, str] | None, sink: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - commands of the set-up itself, never a shell
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise NeedsAttentionError(f"`{command[0]}` cannot be started: {error.strerror}.") from error


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(timeout=_LOOK)
    except subprocess.TimeoutExpired:
        return


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def minutes(seconds: float) -> str:
    """A duration as people say it."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{seconds:.1f} s"  # noqa: PLR2004 - a minute
