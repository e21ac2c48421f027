"""Starts the interpreters that run programs and policy packs, and makes sure none outlives the host."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

_PATIENCE: Final = 3.0
"""Seconds between asking a child to end and making it."""
Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True)
class Children:
    """The running children of this host."""

    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def run(self, command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> int:
        """Runs to the end, output going where the host's goes; the answer is the exit code, negative for a signal."""
        child = self._start(command, folder, environ, None)
        try:
            return child.wait()
        finally:
            self.end(child)

    def start(self, command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a child whose output `output_of` hands on."""
        return self._start(command, folder, environ, subprocess.PIPE)

    def _start(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str], output: int | None
    ) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(  # noqa: S603 - the program that the person asked Pulumi to run
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        with self._guard:
            self._running.add(child)
        return child

    def end(self, child: subprocess.Popen[bytes]) -> None:
        """Ends the child if it still runs: first asked, then made."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        with self._guard:
            self._running.discard(child)

    def end_all(self) -> None:
        """Ends every child."""
        with self._guard:
            running = tuple(self._running)
        for child in running:
            child.terminate()
        for child in running:
            self.end(child)


def output_of(child: subprocess.Popen[bytes]) -> Iterator[tuple[Stream, bytes]]:
    """What the child writes, as it comes, until both of its streams are closed."""
    pieces: queue.SimpleQueue[tuple[Stream, bytes]] = queue.SimpleQueue()

    def pump(name: Stream) -> None:
        source = child.stdout if name == "stdout" else child.stderr
        if source is not None:
            with source:
                while piece := source.read1(65536):  # type: ignore[attr-defined] # a pipe is a BufferedReader
                    pieces.put((name, piece))
        pieces.put((name, b""))

    for name in ("stdout", "stderr"):
        threading.Thread(target=pump, args=(name,), daemon=True).start()
    still_open = 2
    while still_open:
        name, piece = pieces.get()
        if piece:
            yield name, piece
        else:
            still_open -= 1
