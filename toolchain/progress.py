"""What a person sees while a machine is being set up: one line per part, and signs of life in between."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from clawstack.errors import NeedsAttentionError

_HEARTBEAT: Final = 20.0
"""Seconds between two lines of life where the output is a file or a pipe."""
_TAIL: Final = 15
"""Lines of a failed command that are worth showing."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Tells a person what happens; `name` is the part that the lines are about."""

    console: Console
    name: str

    def note(self, text: str) -> None:
        """A line about what is about to happen."""
        self.console.print(f"  [dim]…[/] {self.name}: {text}", highlight=False, soft_wrap=True)

    def ready(self, text: str) -> None:
        """The closing line of a part that is now there."""
        self.console.print(f"  [green]✓[/] {self.name}: {text}", highlight=False, soft_wrap=True)

    def skipped(self, text: str) -> None:
        """The closing line of a part that this machine cannot have; says why and what would help."""
        self.console.print(f"  [yellow]-[/] {self.name}: {text}", highlight=False, soft_wrap=True)

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
        with log.open("wb") as sink, self.console.status(f"{self.name}: {doing}") as status:
            child = _start(command, folder, environ, sink.fileno())
            began = spoken = time.monotonic()
            try:
                while child.poll() is None:
                    now = time.monotonic()
                    if now - began > limit:
                        raise self._failure(command, log, f"did not end within {limit:.0f} seconds")
                    status.update(f"{self.name}: {doing} [dim]{now - began:.0f} s  {_last_line(log)}[/]")
                    if not self.console.is_terminal and now - spoken > _HEARTBEAT:
                        self.note(f"{doing}, {now - began:.0f} s so far")
                        spoken = now
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
        child.wait(timeout=0.5)
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


def _last_line(log: Path) -> str:
    with log.open("rb") as source:
        source.seek(0, 2)
        source.seek(max(0, source.tell() - 400))
        lines = source.read().decode(errors="replace").split("\n")
    text = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return text[:70].replace("[", "(")


def minutes(seconds: float) -> str:
    """A duration as people say it."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{seconds:.1f} s"  # noqa: PLR2004 - a minute
