"""A `Stack` whose operations cost one CLI process each.

The stock class runs two `stack output` and one `stack history` after every operation, and `stack rm` as a process of its
own. Outputs come from the engine's event of the root resource instead, and `destroy` removes the stack itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from pulumi import automation as auto
from pulumi.automation import EngineEvent, OutputMap, UpdateSummary
from pulumi.automation._stack import StackInitMode, _cleanup
from pulumi.automation.errors import StackAlreadyExistsError
from typing_extensions import override

from services.provisioner.engine.command import OwnedCommand

Program = Callable[[], None]
OnEvent = Callable[[EngineEvent], None]

#: Steps that run at once in one cell's stack; cells have a dozen resources, and workers run several stacks.
_PARALLEL: Final = 4


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
            self._run_pulumi_cmd_sync_here(
                ["stack", "init", self.name, "--no-select", "--secrets-provider", "passphrase"]
            )
        except StackAlreadyExistsError:
            return

    def apply(self, program: Program, *, on_event: OnEvent, policy_packs: list[str], refresh: bool) -> None:
        """`pulumi up` with an inline program."""
        self.up(
            program=program,
            on_event=on_event,
            policy_packs=policy_packs,
            refresh=refresh,
            parallel=_PARALLEL,
            color="never",
            suppress_outputs=True,
            suppress_progress=True,
        )

    def foresee(self, program: Program, *, on_event: OnEvent, policy_packs: list[str]) -> None:
        """`pulumi preview` with an inline program; changes nothing and takes no lock."""
        self.preview(
            program=program,
            on_event=on_event,
            policy_packs=policy_packs,
            parallel=_PARALLEL,
            color="never",
            suppress_outputs=True,
            suppress_progress=True,
        )

    def destroy_and_remove(self, *, on_event: OnEvent) -> None:
        """Destroy everything from state alone and remove the stack: one process, no program, no policies."""
        args = ["destroy", "--skip-preview", "--yes", "--remove", "--color", "never", "--suppress-progress"]
        self._with_events("destroy", [*args, "--parallel", str(_PARALLEL)], on_event)

    def forget_pending_creates(self, *, on_event: OnEvent) -> None:
        """Drop creations of which nobody knows whether they happened; what they made is adopted or made again."""
        args = ["refresh", "--skip-preview", "--yes", "--clear-pending-creates", "--color", "never"]
        self._with_events("refresh", [*args, "--suppress-progress"], on_event)

    @override
    def outputs(self) -> OutputMap:
        """Nothing: the outputs were in the events."""
        return {}

    @override
    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """A summary without substance: the base class only asserts that there is one."""
        return UpdateSummary(
            kind="update", start_time=datetime.now(UTC), message="", environment={}, config={}, result="succeeded"
        )

    def _with_events(self, command: str, args: list[str], on_event: OnEvent) -> None:
        log_file, thread, stop, folder, server = self._setup_event_log(
            command, on_event, str(self.workspace.pulumi_command.version)
        )
        try:
            self._run_pulumi_cmd_sync([*args, "--exec-kind", "auto.local", "--event-log", log_file])
        finally:
            _cleanup(folder, thread, stop, None, _server(server))

    def _run_pulumi_cmd_sync_here(self, args: list[str]) -> None:
        self.workspace.pulumi_command.run(args, self.workspace.work_dir, {})


def _server(server: grpc.Server | None) -> grpc.Server | None:
    return server
