"""The Automation API's own door to the CLI, with the process in our hands.

The stock `PulumiCommand` passes the whole parent environment, cannot be stopped or timed out, and runs `pulumi version`
once per instance. Everything above it (programs, events, workspaces) is used as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo
from typing_extensions import override

from services.cells.engine.control import OperationStoppedError, RunControl
from services.cells.engine.identity import ProcessIdentity
from services.cells.engine.process import OwnedProcess
from services.cells.engine.scratch import scratch

#: Variables that the Automation API adds and that we want; anything else it adds is dropped.
_FROM_SDK: Final = frozenset({"PULUMI_DEBUG_COMMANDS"})

OnProcess = Callable[[ProcessIdentity], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ownership:
    """What one operation wants to know and decide about its processes."""

    control: RunControl
    on_process: OnProcess
    """Called before a process starts its work; it must write the identity down, or raise to keep it from starting."""


class OwnedCommand(PulumiCommand):
    """`PulumiCommand` for one operation. Every process it starts is dead when `run` returns or raises."""

    def __init__(
        self,
        *,
        executable: Path,
        version: str,
        environment: Mapping[str, str],
        scratch_root: Path,
        ownership: Ownership,
    ) -> None:
        """`environment`: the whole environment of the CLI, but for the temporary folder, which each process gets below
        `scratch_root`. The base constructor is not called: it starts a process.
        """
        self.command = str(executable)
        self.version = VersionInfo.parse(version.removeprefix("v"))
        self._environment = dict(environment)
        self._scratch_root = scratch_root
        self._ownership = ownership

    @override
    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run the CLI; raises OperationStoppedError when told to stop, pulumi's CommandError when it fails."""
        control = self._ownership.control
        control.check()
        added = {k: v for k, v in additional_env.items() if k in _FROM_SDK}
        with scratch(self._scratch_root) as place:
            environment = {**self._environment, **added, **place.environment()}
            process = OwnedProcess(self._words(args), cwd=Path(cwd), env=environment, inherited=[place.holder])
            result = self._finished(process, on_output, on_error)
        if result.code == 0:
            return result
        if (reason := control.reason) is not None:
            raise OperationStoppedError(reason)
        raise create_command_error(result)

    def _finished(self, process: OwnedProcess, on_output: OnOutput | None, on_error: OnOutput | None) -> CommandResult:
        try:
            self._ownership.on_process(process.identity)
            self._ownership.control.check()
            out, err = process.open_gate(on_stdout=on_output, on_stderr=on_error)
            _supervise(process, self._ownership.control)
        finally:
            code = process.end()
        return CommandResult(stdout="\n".join(out), stderr="\n".join(err), code=code)

    def _words(self, args: Sequence[str]) -> list[str]:
        return [self.command, "--non-interactive", *(word for word in args if word != "--non-interactive")]


def _supervise(process: OwnedProcess, control: RunControl) -> None:
    """Wait for the leader's end; ask it to stop when ordered, give up on it when its grace is over."""
    changed = threading.Event()
    control.listen(changed)
    threading.Thread(target=_forward, args=(process.exited, changed), daemon=True).start()
    asked = False
    try:
        while not process.exited.is_set():
            if control.reason is not None and not asked:
                process.interrupt()
                asked = True
            if control.grace_is_over():
                return
            changed.wait(control.seconds_to_next_step())
            changed.clear()
    finally:
        control.ignore(changed)


def _forward(source: threading.Event, target: threading.Event) -> None:
    source.wait()
    target.set()
