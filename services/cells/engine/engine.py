"""The engine: `up`, `destroy` and `preview` of one cell's stack, each in as few CLI processes as it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from clawstack.tools import Tools
from clawstack.vocabulary import EventKind
from services.cells.engine.command import OwnedCommand, Ownership
from services.cells.engine.environment import cli_environment
from services.cells.engine.inline import Program
from services.cells.engine.narration import NarratedStep
from services.cells.engine.run import OnStep, Run, RunOutcome, StackPlace, Undo, is_there
from services.cells.engine.scratch import scratch, scratch_root
from services.cells.engine.stack import LeanStack, PolicyPack

_PACK_FILE: Final = "PulumiPolicy.yaml"
_PACK_CONFIG: Final = "policy-config.json"


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
        pack_config: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """`tools` is asked at every run (a set-up may come later); `parent`: the worker's environment;
        `prepare_pack`: gives the form of the pack's folder that is cheapest for the CLI;
        `pack_config`: configuration of its rules by their names, asked at every run.
        """
        self._pack_config = pack_config
        self._prepare_pack = prepare_pack
        self._tools = tools
        self._home = pulumi_home
        self._policy_pack = policy_pack
        self._parent = parent
        self._scratch_root = scratch_root(pulumi_home)

    def up(
        self,
        place: StackPlace,
        program: Program,
        *,
        ownership: Ownership,
        on_step: OnStep,
        refresh: bool = False,
        undo: Undo | None = None,
    ) -> RunOutcome:
        """Bring the stack to what `program` declares. One CLI process.

        One more where state is elsewhere and the stack is new, or is refreshed: what is secret in it is read first.
        `undo` is called after a run that did not end well.
        Raises TemporaryError, PermanentError, NeedsAttentionError or OperationStoppedError, nothing else.
        """
        run = self._run(place, ownership, on_step, undo)
        return run.guarded(lambda: run.up(program, packs=self._packs(place, on_step), refresh=refresh))

    def destroy(
        self,
        place: StackPlace,
        program: Program,
        *,
        ownership: Ownership,
        on_step: OnStep,
        undo: Undo | None = None,
    ) -> RunOutcome:
        """Destroy everything and remove the stack; a stack that is not there is fine. One CLI process.

        One more where state is elsewhere: what is secret in it is read first, so that no provider tells it.
        `program` is only run where a crash left resources that the state does not know: it finds them again.
        Raises like `up`.
        """
        run = self._run(place, ownership, on_step, undo)
        return run.guarded(lambda: run.destroy(program))

    def preview(self, place: StackPlace, program: Program, *, ownership: Ownership, on_step: OnStep) -> RunOutcome:
        """What `up` would change, and whether policies allow it. Changes nothing, not even for a stack still to come."""
        with scratch(self._scratch_root) as folder:
            # A folder of its own: an operation may be at work in the cell's.
            aside = replace(place, work_dir=folder.path / "work")
            if not is_there(place):
                aside = replace(aside, backend_url=SecretStr(f"file://{folder.path}/state"), exists=False)
            run = self._run(aside, ownership, on_step)
            return run.guarded(lambda: run.preview(program, packs=self._packs(aside, on_step)))

    def _run(self, place: StackPlace, ownership: Ownership, on_step: OnStep, undo: Undo | None = None) -> Run:
        tools = self._tools()
        environment = cli_environment(
            self._parent,
            backend_url=place.backend_url.get_secret_value(),
            passphrase=place.passphrase.get_secret_value(),
            pulumi_home=self._home,
            plugin_path=tools.plugin_path,
        )
        for folder in (self._home, place.work_dir):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = OwnedCommand(
            executable=tools.pulumi,
            version=tools.pulumi_version,
            environment=environment,
            scratch_root=self._scratch_root,
            ownership=ownership,
        )
        stack = LeanStack(name=place.stack, project=place.project, work_dir=place.work_dir, command=command)
        return Run(place=place, stack=stack, on_step=on_step, control=ownership.control, undo=undo)

    def _packs(self, place: StackPlace, on_step: OnStep) -> list[PolicyPack]:
        if (self._policy_pack / _PACK_FILE).is_file():
            config = place.work_dir / _PACK_CONFIG
            config.write_text(json.dumps(self._pack_config()), encoding="utf-8")
            return [PolicyPack(path=self._prepare_pack(self._policy_pack), config=config)]
        on_step(
            NarratedStep(
                kind=EventKind.POLICY,
                message=f"No policy judges this run: {self._policy_pack} holds no {_PACK_FILE}.",
                data={"skipped": True},
            )
        )
        return []
