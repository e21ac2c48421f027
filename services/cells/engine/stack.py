"""A `Stack` whose operations cost one CLI process each.

The stock class runs two `stack output` and one `stack history` after every operation, and `stack rm` as a process of its
own. Here outputs come from the engine's event of the root resource, and `destroy` removes the stack itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import StackAlreadyExistsError

from services.cells.engine.command import OwnedCommand
from services.cells.engine.event_stream import OnEvent, receiving
from services.cells.engine.inline import InlineProgram, serving

#: Steps that run at once in one cell's stack; cells have a dozen resources, and workers run several stacks.
_PARALLEL: Final = 4
#: The CLI's own display goes nowhere: what happens is told by events, and outputs may be secret.
_DISPLAY: Final = ("--color", "never", "--suppress-progress", "--suppress-outputs")


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyPack:
    """A pack that judges a run, and what configures its rules."""

    path: Path
    """A folder, or an executable that the CLI can start."""
    config: Path | None = None
    """JSON: configuration by the names of rules."""

    def words(self) -> list[str]:
        """The pack as arguments of the CLI."""
        config = [] if self.config is None else ["--policy-pack-config", str(self.config)]
        return ["--policy-pack", str(self.path), *config]


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

    def apply(self, program: InlineProgram, *, on_event: OnEvent, packs: Sequence[PolicyPack], refresh: bool) -> None:
        """`pulumi up` with an inline program."""
        args = ["up", "--yes", "--skip-preview", *(["--refresh"] if refresh else [])]
        self._with_program([*args, *_words(packs)], program, on_event)

    def foresee(self, program: InlineProgram, *, on_event: OnEvent, packs: Sequence[PolicyPack]) -> None:
        """`pulumi preview` with an inline program; changes nothing and takes no lock."""
        self._with_program(["preview", *_words(packs)], program, on_event)

    def destroy_and_remove(self, *, on_event: OnEvent) -> None:
        """Destroy everything from state alone and remove the stack: one process, no program, no policies."""
        args = ["destroy", "--skip-preview", "--yes", "--remove", "--exec-kind", "auto.local"]
        self._with_events(args, on_event)

    def forget_pending_creates(self, *, on_event: OnEvent) -> None:
        """Drop creations of which nobody knows whether they happened; what they made is adopted or made again."""
        args = ["refresh", "--skip-preview", "--yes", "--clear-pending-creates", "--exec-kind", "auto.local"]
        self._with_events(args, on_event)

    def export(self) -> str:
        """The recorded deployment as JSON; secrets stay encrypted."""
        return self._run_pulumi_cmd_sync(["stack", "export"]).stdout

    def break_locks(self) -> None:
        """Delete all locks of the stack, blindly: only for locks whose holders are proven dead."""
        # `--stack` and the name as an argument are refused together, so the usual way of naming it is not taken.
        self.workspace.pulumi_command.run(["cancel", "--yes", self.name], self.workspace.work_dir, {})

    def _with_program(self, args: list[str], program: InlineProgram, on_event: OnEvent) -> None:
        with serving(program) as address:
            self._with_events([*args, "--exec-kind", "auto.inline", f"--client={address}"], on_event)

    def _with_events(self, args: list[str], on_event: OnEvent) -> None:
        with receiving(on_event) as address:
            self._run_pulumi_cmd_sync([*args, *_DISPLAY, "--parallel", str(_PARALLEL), "--event-log", address])


def _words(packs: Sequence[PolicyPack]) -> list[str]:
    return [word for pack in packs for word in pack.words()]
