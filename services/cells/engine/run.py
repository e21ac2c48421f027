"""One run of the engine on one stack: what a crash left is put right first, then the work, then its meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi.automation import EngineEvent
from pulumi.automation.errors import ConcurrentUpdateError, StackNotFoundError
from pydantic import SecretStr

from clawstack.errors import ClawstackError
from clawstack.vocabulary import EventKind
from services.cells.engine import remote_state, state_files
from services.cells.engine.control import RunControl
from services.cells.engine.failures import classify
from services.cells.engine.inline import InlineProgram, Program
from services.cells.engine.narration import Findings, NarratedStep, Narrator
from services.cells.engine.secrecy import RunSecrets
from services.cells.engine.stack import LeanStack, PolicyPack
from services.cells.engine.state_files import StackFiles
from services.cells.engine.state_secrets import secrets_in

OnStep = Callable[[NarratedStep], None]
Undo = Callable[[Mapping[str, Any]], Sequence[str] | None]
"""Removes what a killed run made and a deployment does not know; None where making it again takes it over."""
#: Seconds by which the clocks of two workers may differ.
_CLOCKS_APART: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StackPlace:
    """Where one cell's stack is kept. Nothing in here is shared with another cell."""

    stack: str
    project: str
    backend_url: SecretStr
    work_dir: Path
    passphrase: SecretStr
    exists: bool
    """Pulumi once had the stack. Where state can be looked at, that counts; elsewhere this is believed."""
    suspect: bool = False
    """The last run did not end well: state that is elsewhere is looked at (one more CLI process)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """What a run that succeeded brought about."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Plain stack outputs; secrets are left out."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """Count of resources by Pulumi operation."""


class Run:
    """One operation on one stack."""

    def __init__(
        self, *, place: StackPlace, stack: LeanStack, on_step: OnStep, control: RunControl, undo: Undo | None = None
    ) -> None:
        self._place = place
        self._undo = undo
        self._control = control
        self._stack = stack
        self._on_step = on_step
        self._secrets = RunSecrets()
        self._narrator = Narrator()
        self._inline_program: InlineProgram | None = None
        self._files: StackFiles | None = files_of(place)

    def guarded(self, work: Callable[[], Findings]) -> RunOutcome:
        try:
            findings = work()
        except Exception as error:
            raise self._classified(error) from error
        return RunOutcome(outputs=findings.outputs, changes=findings.changes)

    def up(self, program: Program, *, packs: Sequence[PolicyPack], refresh: bool) -> Findings:
        try:
            if self._is_there():
                self._recover(read=refresh)
            else:
                self._initialise()
            findings = self._apply(program, packs=packs, refresh=refresh)
        except StackNotFoundError:
            self._initialise()
            findings = self._apply(program, packs=packs, refresh=refresh)
        if self._files is not None:
            state_files.prune_history(self._files)
        return findings

    def destroy(self, program: Program) -> Findings:
        if not self._is_there() and not self._place.exists:
            return Findings(complete=True)
        try:
            self._know_all(program)
            self._past_dead_locks(lambda: self._stack.destroy_and_remove(on_event=self._listen()))
        except StackNotFoundError:
            return Findings(complete=True)
        return self._narrator.findings

    def _know_all(self, program: Program) -> None:
        """Have in the state what is to be destroyed, and know what is secret in it."""
        if not self._is_there():
            self._tell("The stack's state is gone; what may be left of it is looked for once more.")
            self._initialise()
            self._find_again(program)
        elif self._recover(read=True):
            self._find_again(program)

    def preview(self, program: Program, *, packs: Sequence[PolicyPack]) -> Findings:
        if not self._is_there():
            self._initialise()
        elif self._files is not None:
            self._note_secrets(state_files.deployment(self._files))
        self._stack.foresee(self._inline(program), on_event=self._listen(preview=True), packs=packs)
        return self._narrator.findings

    def _apply(self, program: Program, *, packs: Sequence[PolicyPack], refresh: bool) -> Findings:
        self._past_dead_locks(
            lambda: self._stack.apply(self._inline(program), on_event=self._listen(), packs=packs, refresh=refresh)
        )
        return self._narrator.findings

    def _recover(self, *, read: bool) -> bool:
        """Put right what a crash left; True when something may exist that the state does not know.

        `read`: providers will be asked about what is recorded, so its secrets must be known whatever it costs.
        """
        deployment = self._deployment(read=read)
        self._note_secrets(deployment)
        pending = remote_state.pending_creates_of(deployment)
        undone = self._undone(deployment) if pending or self._place.suspect else None
        if pending:
            self._tell(f"{len(pending)} creation(s) were under way when the last run was killed; they are made again.")
            self._past_dead_locks(lambda: self._stack.forget_pending_creates(on_event=self._listen()))
        return bool(pending) and undone is None

    def _note_secrets(self, deployment: Mapping[str, Any]) -> None:
        passphrase = self._place.passphrase
        self._secrets.recorded(lambda: secrets_in(deployment, passphrase.get_secret_value()))

    def _deployment(self, *, read: bool) -> Mapping[str, Any]:
        """What is recorded, as far as it is worth a look: state that is elsewhere costs a process."""
        if self._files is not None:
            self._mend(self._files)
            return state_files.deployment(self._files)
        return remote_state.deployment_in(self._stack.export()) if read or self._place.suspect else {}

    def _undone(self, deployment: Mapping[str, Any]) -> Sequence[str] | None:
        if self._undo is None or not deployment:
            return None
        undone = self._undo(deployment)
        for what in undone or ():
            self._tell(f"A killed run had made {what} and could not write it down; it is removed.")
        return undone

    def _mend(self, files: StackFiles) -> None:
        if state_files.mend(files):
            self._tell("The state file was cut short; the state before its last write was put back.")
        if state_files.drop_torn_attributes(files):
            self._tell("A killed run left an empty attribute file beside the state; it is removed.")
        for sentence in state_files.break_stale_locks(files):
            self._tell(sentence)

    def _past_dead_locks(self, work: Callable[[], None]) -> None:
        """Do `work`; where state is elsewhere, a lock whose holder is proven dead is broken, and `work` done again."""
        try:
            work()
        except ConcurrentUpdateError as error:
            patience = self._control.longest + _CLOCKS_APART
            if self._files is not None or not remote_state.all_holders_are_dead(str(error), elsewhere_after=patience):
                raise
            self._tell("The stack was locked by a process that is dead; the lock is removed.")
            self._stack.break_locks()
            work()

    def _find_again(self, program: Program) -> None:
        """Run the program once more, so that what the killed run made is known to the state before it is destroyed."""
        try:
            self._apply(program, packs=[], refresh=False)
        except Exception as error:  # noqa: BLE001 - destroying what is known must go on; the sweep finds the rest
            self._control.check()
            found = self._classified(error)
            self._tell(f"What the killed run made could not be found again: {found.message}")

    def _is_there(self) -> bool:
        return is_there(self._place)

    def _initialise(self) -> None:
        if self._files is None:
            self._stack.initialise()
        else:
            self._files.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            state_files.create(self._files)

    def _inline(self, program: Program) -> InlineProgram:
        self._inline_program = InlineProgram(program, secrets=self._secrets)
        return self._inline_program

    def _classified(self, error: Exception) -> ClawstackError:
        return classify(error, self._narrator.findings, raised_by_program=self._raised(), scrub=self._secrets.scrub)

    def _raised(self) -> BaseException | None:
        return None if self._inline_program is None else self._inline_program.raised

    def _listen(self, *, preview: bool = False) -> Callable[[EngineEvent], None]:
        self._narrator = Narrator(preview=preview, scrub=self._secrets.scrub)

        def on_event(event: EngineEvent) -> None:
            step = self._narrator.read(event)
            if step is not None:
                self._on_step(step)

        return on_event

    def _tell(self, message: str) -> None:
        self._on_step(
            NarratedStep(kind=EventKind.DIAGNOSTIC, message=message, data={"severity": "info", "recovery": True})
        )


def files_of(place: StackPlace) -> StackFiles | None:
    """The files of a stack's state, None where they are not on this machine."""
    return state_files.files_of(place.backend_url.get_secret_value(), project=place.project, stack=place.stack)


def is_there(place: StackPlace) -> bool:
    """True when Pulumi has the stack, as far as that can be known without asking the CLI."""
    files = files_of(place)
    return place.exists if files is None else files.exists()
