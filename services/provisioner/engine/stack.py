"""A `Stack` whose operations cost one CLI process each.

The stock class runs two `stack output` and one `stack history` after every operation, and `stack rm` as a process of its
own. Here outputs come from the engine's event of the root resource, and `destroy` removes the stack itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pulumi import automation as auto
from pulumi.automation import EngineEvent
from pulumi.automation._stack import StackInitMode, _cleanup
from pulumi.automation.errors import StackAlreadyExistsError

from services.provisioner.engine.command import OwnedCommand
from services.provisioner.engine.inline import InlineProgram, serving

OnEvent = Callable[[EngineEvent], None]

#: Steps that run at once in one cell's stack; cells have a dozen resources, and workers run several stacks.
_PARALLEL: Final = 4
#: The CLI's own display goes nowhere: what happens is told by events, and outputs may be secret.
_DISPLAY: Final = ("--color", "never", "--suppress-progress", "--suppress-outputs")


class LeanStack(auto.Stack):
    """One cell's stack. Constructing it starts no process; `initialise` makes the stack."""

    def __init__(self, *, name: str, project: str, work_dir: Path, command: OwnedCommand) -> None:
        """`work_dir` must exist and belong to this stack alone. The base constructor is not called: it runs the CLI."""
        self.name = name
        self.workspace = auto.LocalWorkspace(
            work_dir=str(work_dir),
            pulumi_command=command,
            secrets_provider="passphrase",
            project_settings=auto.ProjectSettings(name=project, runtime="python"),
        )
        self._mode = StackInitMode.SELECT

    def initialise(self) -> None:
        """Make the stack; one that is there already is fine (a worker died between this and its note of it)."""
        try:
            args = ["stack", "init", self.name, "--no-select", "--secrets-provider", "passphrase"]
            self.workspace.pulumi_command.run(args, self.workspace.work_dir, {})
        except StackAlreadyExistsError:
            return

    def apply(self, program: InlineProgram, *, on_event: OnEvent, policy_packs: Sequence[str], refresh: bool) -> None:
        """`pulumi up` with an inline program."""
        args = ["up", "--yes", "--skip-preview", *(["--refresh"] if refresh else [])]
        self._with_program("up", [*args, *_packs(policy_packs)], program, on_event)

    def foresee(self, program: InlineProgram, *, on_event: OnEvent, policy_packs: Sequence[str]) -> None:
        """`pulumi preview` with an inline program; changes nothing and takes no lock."""
        self._with_program("preview", ["preview", *_packs(policy_packs)], program, on_event)

    def destroy_and_remove(self, *, on_event: OnEvent) -> None:
        """Destroy everything from state alone and remove the stack: one process, no program, no policies."""
        args = ["destroy", "--skip-preview", "--yes", "--remove", "--exec-kind", "auto.local"]
        self._with_events("destroy", args, on_event)

    def forget_pending_creates(self, *, on_event: OnEvent) -> None:
        """Drop creations of which nobody knows whether they happened; what they made is adopted or made again."""
        args = ["refresh", "--skip-preview", "--yes", "--clear-pending-creates", "--exec-kind", "auto.local"]
        self._with_events("refresh", args, on_event)

    def _with_program(self, command: str, args: list[str], program: InlineProgram, on_event: OnEvent) -> None:
        with serving(program) as address:
            self._with_events(command, [*args, "--exec-kind", "auto.inline", f"--client={address}"], on_event)

    def _with_events(self, command: str, args: list[str], on_event: OnEvent) -> None:
        version = str(self.workspace.pulumi_command.version)
        log_file, thread, stop, folder, server = self._setup_event_log(command, on_event, version)
        try:
            # The CLI ends its stream of events, and waits until it was read, before it ends itself.
            self._run_pulumi_cmd_sync([*args, *_DISPLAY, "--parallel", str(_PARALLEL), "--event-log", log_file])
        finally:
            _cleanup(folder, thread, stop, None, server)


def _packs(folders: Sequence[str]) -> list[str]:
    return [word for folder in folders for word in ("--policy-pack", folder)]
