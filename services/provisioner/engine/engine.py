"""The engine: `up`, `destroy` and `preview` of one cell's stack, each in as few CLI processes as it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi.automation import EngineEvent
from pulumi.automation.errors import StackNotFoundError
from pydantic import SecretStr

from services.provisioner.engine import state_files
from services.provisioner.engine.command import OwnedCommand, Ownership
from services.provisioner.engine.control import Control
from services.provisioner.engine.environment import cli_environment
from services.provisioner.engine.failures import classify
from services.provisioner.engine.inline import InlineProgram, Program
from services.provisioner.engine.narration import Findings, Narrator, Step
from services.provisioner.engine.stack import LeanStack
from services.provisioner.engine.state_files import StackFiles
from services.provisioner.vocabulary import EventKind

_PACK_FILE: Final = "PulumiPolicy.yaml"

OnStep = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The CLI and where its plugins are."""

    pulumi: Path
    version: str
    plugin_path: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StackPlace:
    """Where one cell's stack is kept. Nothing in here is shared with another cell."""

    stack: str
    project: str
    backend_url: str
    work_dir: Path
    passphrase: SecretStr
    exists: bool
    """Pulumi once had the stack. Where state can be looked at, that counts; elsewhere this is believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run that succeeded brought about."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Plain stack outputs; secrets are left out."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """Count of resources by Pulumi operation."""


class Engine:
    """Runs Pulumi. Safe to use from several threads, one stack each. All methods block."""

    def __init__(
        self,
        *,
        tools: Callable[[], Tools],
        pulumi_home: Path,
        policy_pack: Path,
        parent: Mapping[str, str],
        prepare_pack: Callable[[Path], Path] = lambda folder: folder,
    ) -> None:
        """`tools` is asked at every run (a set-up may come later); `parent`: the worker's environment;
        `prepare_pack`: gives the form of the pack's folder that is cheapest for the CLI.
        """
        self._prepare_pack = prepare_pack
        self._tools = tools
        self._home = pulumi_home
        self._policy_pack = policy_pack
        self._parent = parent

    def up(
        self, place: StackPlace, program: Program, *, ownership: Ownership, on_step: OnStep, refresh: bool = False
    ) -> Outcome:
        """Bring the stack to what `program` declares. Two CLI processes for a new stack, one otherwise.

        Raises TemporaryError, PermanentError, NeedsAttentionError or OperationStoppedError, nothing else.
        """
        run = self._run(place, ownership, on_step)
        return run.guarded(lambda: run.up(program, packs=self._packs(on_step), refresh=refresh))

    def destroy(self, place: StackPlace, program: Program, *, ownership: Ownership, on_step: OnStep) -> Outcome:
        """Destroy everything and remove the stack; a stack that is not there is fine. One CLI process.

        `program` is only run where a crash left resources that the state does not know: it finds them again.
        Raises like `up`.
        """
        run = self._run(place, ownership, on_step)
        return run.guarded(lambda: run.destroy(program))

    def preview(self, place: StackPlace, program: Program, *, ownership: Ownership, on_step: OnStep) -> Outcome:
        """What `up` would change, and whether policies allow it. Changes nothing, not even for a stack still to come."""
        if _is_there(place):
            run = self._run(place, ownership, on_step)
            return run.guarded(lambda: run.preview(program, packs=self._packs(on_step)))
        with tempfile.TemporaryDirectory(prefix="clawstack-preview-") as folder:
            scratch = StackPlace(
                stack=place.stack,
                project=place.project,
                backend_url=f"file://{folder}",
                work_dir=Path(folder) / "work",
                passphrase=place.passphrase,
                exists=False,
            )
            run = self._run(scratch, ownership, on_step)
            return run.guarded(lambda: run.preview(program, packs=self._packs(on_step)))

    def _run(self, place: StackPlace, ownership: Ownership, on_step: OnStep) -> _Run:
        tools = self._tools()
        environment = cli_environment(
            self._parent,
            backend_url=place.backend_url,
            passphrase=place.passphrase.get_secret_value(),
            pulumi_home=self._home,
            plugin_path=tools.plugin_path,
        )
        for folder in (self._home, place.work_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = OwnedCommand(
            executable=tools.pulumi, version=tools.version, environment=environment, ownership=ownership
        )
        stack = LeanStack(name=place.stack, project=place.project, work_dir=place.work_dir, command=command)
        return _Run(place=place, stack=stack, on_step=on_step, control=ownership.control)

    def _packs(self, on_step: OnStep) -> list[str]:
        if (self._policy_pack / _PACK_FILE).is_file():
            return [str(self._prepare_pack(self._policy_pack))]
        on_step(
            Step(
                kind=EventKind.POLICY,
                message=f"No policy judges this run: {self._policy_pack} holds no {_PACK_FILE}.",
                data={"skipped": True},
            )
        )
        return []


class _Run:
    """One operation on one stack."""

    def __init__(self, *, place: StackPlace, stack: LeanStack, on_step: OnStep, control: Control) -> None:
        self._place = place
        self._control = control
        self._stack = stack
        self._on_step = on_step
        self._narrator = Narrator()
        self._inline_program: InlineProgram | None = None
        self._files: StackFiles | None = files_of(place)

    def guarded(self, work: Callable[[], Findings]) -> Outcome:
        try:
            findings = work()
        except Exception as error:
            raise classify(error, self._narrator.findings, raised_by_program=self._raised()) from error
        return Outcome(outputs=findings.outputs, changes=findings.changes)

    def up(self, program: Program, *, packs: list[str], refresh: bool) -> Findings:
        if not self._is_there():
            self._initialise()
        else:
            self._recover()
        try:
            return self._apply(program, packs=packs, refresh=refresh)
        except StackNotFoundError:
            self._initialise()
            return self._apply(program, packs=packs, refresh=refresh)

    def destroy(self, program: Program) -> Findings:
        if not self._is_there():
            if not self._place.exists:
                return Findings(complete=True)
            self._tell("The stack's state is gone; what may be left of it is looked for once more.")
            self._initialise()
            self._find_again(program)
        elif self._recover():
            self._find_again(program)
        try:
            self._stack.destroy_and_remove(on_event=self._listen())
        except StackNotFoundError:
            return Findings(complete=True)
        return self._narrator.findings

    def preview(self, program: Program, *, packs: list[str]) -> Findings:
        if not self._is_there():
            self._initialise()
        self._stack.foresee(self._inline(program), on_event=self._listen(preview=True), policy_packs=packs)
        return self._narrator.findings

    def _apply(self, program: Program, *, packs: list[str], refresh: bool) -> Findings:
        self._stack.apply(self._inline(program), on_event=self._listen(), policy_packs=packs, refresh=refresh)
        return self._narrator.findings

    def _recover(self) -> bool:
        """Put right what a crash left; True when creations were under way whose end nobody knows."""
        if self._files is None:
            return False
        if state_files.mend(self._files):
            self._tell("The state file was cut short; the state before its last write was put back.")
        for sentence in state_files.break_stale_locks(self._files):
            self._tell(sentence)
        pending = state_files.pending_creates(self._files)
        if pending:
            self._tell(f"{len(pending)} creation(s) were under way when the last run was killed; they are made again.")
            self._stack.forget_pending_creates(on_event=self._listen())
        return bool(pending)

    def _find_again(self, program: Program) -> None:
        """Run the program once more, so that what the killed run made is known to the state before it is destroyed."""
        try:
            self._apply(program, packs=[], refresh=False)
        except Exception as error:  # noqa: BLE001 - destroying what is known must go on; the sweep finds the rest
            self._control.check()
            found = classify(error, self._narrator.findings, raised_by_program=self._raised())
            self._tell(f"What the killed run made could not be found again: {found.message}")

    def _is_there(self) -> bool:
        return self._place.exists if self._files is None else self._files.exists()

    def _initialise(self) -> None:
        if self._files is not None:
            self._files.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.initialise()

    def _inline(self, program: Program) -> InlineProgram:
        self._inline_program = InlineProgram(program)
        return self._inline_program

    def _raised(self) -> BaseException | None:
        return None if self._inline_program is None else self._inline_program.raised

    def _listen(self, *, preview: bool = False) -> Callable[[EngineEvent], None]:
        self._narrator = Narrator(preview=preview)

        def on_event(event: EngineEvent) -> None:
            step = self._narrator.read(event)
            if step is not None:
                self._on_step(step)

        return on_event

    def _tell(self, message: str) -> None:
        self._on_step(Step(kind=EventKind.DIAGNOSTIC, message=message, data={"severity": "info", "recovery": True}))


def files_of(place: StackPlace) -> StackFiles | None:
    """The files of a stack's state, None where they are not on this machine."""
    return state_files.files_of(place.backend_url, project=place.project, stack=place.stack)


def _is_there(place: StackPlace) -> bool:
    files = files_of(place)
    return place.exists if files is None else files.exists()
