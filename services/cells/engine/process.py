"""A child process in a session of its own that does not start its work before it has been written down.

Between the start of a child and the note of it, a worker can be killed; the child would then run on, known to nobody.
So the child first waits at a gate: a shell that reads one line and then becomes the real program (same PID, same start
time). Dies the worker before it opens the gate, the shell reads end-of-file and exits.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from services.cells.engine import identity
from services.cells.engine.identity import ProcessIdentity

_GATE: Final = 'IFS= read -r go && [ "$go" = go ] && exec "$0" "$@" </dev/null'
#: Lines kept of each stream; a run-away program must not fill the worker's memory.
_KEPT_LINES: Final = 4000
_READERS_END: Final = 10.0

OnLine = Callable[[str], object]


class OwnedProcess:
    """A gated child and everything it starts. Call `end` on every path: afterwards nothing of it lives."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], inherited: Sequence[int] = ()
    ) -> None:
        """Starts the gate, not yet `command`. `env` is the whole environment; `inherited`: descriptors it is given."""
        self._popen = subprocess.Popen(  # noqa: S603 - the command is ours, and no shell reads its words
            ["/bin/sh", "-c", _GATE, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            pass_fds=tuple(inherited),
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.identity: ProcessIdentity = identity.identify(self._popen.pid)
        self.exited = threading.Event()
        self._threads: list[threading.Thread] = []

    def open_gate(
        self, *, on_stdout: OnLine | None = None, on_stderr: OnLine | None = None
    ) -> tuple[deque[str], deque[str]]:
        """Let the command start; returns the lines of its standard output and error, complete after `end`."""
        out: deque[str] = deque(maxlen=_KEPT_LINES)
        err: deque[str] = deque(maxlen=_KEPT_LINES)
        self._start_thread(_read, self._popen.stdout, out, on_stdout)
        self._start_thread(_read, self._popen.stderr, err, on_stderr)
        self._start_thread(self._await_exit)
        if self._popen.stdin is not None:
            self._popen.stdin.write("go\n")
            self._popen.stdin.close()
        return out, err

    def interrupt(self) -> None:
        """Ask the leader, and only the leader, to stop: Pulumi tells its plugins itself."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Kill what still lives, reap the leader, read the streams to their end; returns its exit code."""
        if self._popen.stdin is not None and not self._popen.stdin.closed:
            self._popen.stdin.close()
        if self._popen.poll() is None and not self.exited.is_set():
            identity.end(self.identity)
        code = self._popen.wait()
        identity.end(self.identity)
        for thread in self._threads:
            thread.join(_READERS_END)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()
        return code

    def _await_exit(self) -> None:
        self._popen.wait()
        self.exited.set()

    def _start_thread(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"pulumi-{self._popen.pid}", daemon=True)
        thread.start()
        self._threads.append(thread)


def _read(stream: IO[str], lines: deque[str], on_line: OnLine | None) -> None:
    for line in stream:
        text = line.rstrip()
        lines.append(text)
        if on_line is not None:
            on_line(text)
