"""The engine alone with the real CLI: processes, cancellation, budget, recovery."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pulumi
import pytest
from pydantic import SecretStr

from clawstack.errors import ClawstackError, InvalidInputError, NeedsAttentionError, PermanentError, TemporaryError
from clawstack.redaction import MASK
from services.cells.engine import state_files
from services.cells.engine.command import Ownership
from services.cells.engine.control import OperationStoppedError, RunControl, StopReason
from services.cells.engine.engine import Engine
from services.cells.engine.identity import ProcessIdentity
from services.cells.engine.inline import Program
from services.cells.engine.narration import NarratedStep
from services.cells.engine.remote_state import pending_creates_of
from services.cells.engine.run import StackPlace
from services.cells.provisioner.machine import Machine
from tests.integration.provisioner.programs import ProbeCell
from tests.integration.provisioner.rig import Probe, engine_processes
from tests.waiting import patient, until

SLUG = "emma-1"
PASSPHRASE = "planted-passphrase-0123456789abcdef"
TOKEN = "planted-token-0123456789abcdef"


class Bench:
    """One engine and one stack, driven by hand."""

    def __init__(self, data: Path, probe: Probe) -> None:
        self.data = data
        self.probe = probe
        self.steps: list[NarratedStep] = []
        self.processes: list[ProcessIdentity] = []
        machine = Machine(probe.tools())
        environment = {**os.environ, "CLAWSTACK_MASTER_KEY": "planted-master-key", "PLANTED": "planted-parent-secret"}
        self.engine = Engine(
            tools=machine.tools, pulumi_home=data / "pulumi" / "home", policy_pack=data / "none", parent=environment
        )
        self.place = StackPlace(
            stack=SLUG,
            project="clawstack-cells",
            backend_url=SecretStr(f"file://{data}/state/{SLUG}"),
            work_dir=data / "pulumi" / "work" / SLUG,
            passphrase=SecretStr(PASSPHRASE),
            exists=False,
        )

    @property
    def files(self) -> state_files.StackFiles:
        files = state_files.files_of(self.place.backend_url.get_secret_value(), project=self.place.project, stack=SLUG)
        assert files is not None
        return files

    def control(self, *, budget: float = 60, grace: float = 5) -> RunControl:
        return RunControl(budget=budget, grace=grace)

    def ownership(self, control: RunControl | None = None) -> Ownership:
        return Ownership(control=control or self.control(), on_process=self.processes.append)

    def program(self, nonce: str = "", token: str = TOKEN) -> Program:
        def run() -> None:
            cell = ProbeCell(
                "cell",
                {
                    "folder": str(self.probe.folder),
                    "slug": SLUG,
                    "desired": "running",
                    "nonce": nonce,
                    "token": pulumi.Output.secret(token),
                },
            )
            pulumi.export("endpoint", cell.endpoint)
            pulumi.export("token", pulumi.Output.secret(token))

        return run

    def up(self, nonce: str = "", control: RunControl | None = None) -> dict[str, object]:
        outcome = self.engine.up(
            self.place, self.program(nonce), ownership=self.ownership(control), on_step=self.steps.append
        )
        return dict(outcome.outputs)

    def destroy(self, control: RunControl | None = None) -> None:
        self.engine.destroy(self.place, self.program(), ownership=self.ownership(control), on_step=self.steps.append)

    def refresh(self) -> None:
        """With a program that has another token by now."""
        self.engine.up(
            self.place,
            self.program(token="renewed-token-0123456789"),
            ownership=self.ownership(),
            on_step=self.steps.append,
            refresh=True,
        )

    def in_background(self, work: str, control: RunControl) -> tuple[threading.Thread, list[BaseException]]:
        raised: list[BaseException] = []

        def run() -> None:
            try:
                getattr(self, work)(control=control)
            except Exception as error:  # noqa: BLE001 - carried to the test's own thread
                raised.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread, raised


@pytest.fixture
def bench(data_dir: Path, probe: Probe) -> Bench:
    return Bench(data_dir, probe)


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    until(condition, f"{condition}", seconds=seconds, pause=0.02)


def verbs(lines: list[str]) -> list[str]:
    return [" ".join(word for word in line.split() if not word.startswith("-"))[:10].split()[0] for line in lines]


def test_every_operation_takes_one_process(bench: Bench) -> None:
    assert bench.up() == {"endpoint": f"probe://{SLUG}"}, "secret outputs are left out"
    assert verbs(bench.probe.starts()) == ["up"]
    bench.up("changed")
    assert verbs(bench.probe.starts()) == ["up", "up"]
    bench.destroy()
    assert verbs(bench.probe.starts()) == ["up", "up", "destroy"]
    assert not bench.files.exists()
    assert bench.probe.cell(SLUG) is None
    bench.destroy()
    assert len(bench.probe.starts()) == 3, "destroying what is gone needs no process"
    assert len(bench.processes) == 3, "every process was written down before it started"
    assert [step.message for step in bench.steps if step.kind == "resource"] == [
        "Creating cell cell.",
        "Created cell cell.",
        "Updating cell cell.",
        "Updated cell cell.",
        "Removing cell cell.",
        "Removed cell cell.",
    ]


def test_a_stack_is_made_as_the_cli_makes_it(bench: Bench) -> None:
    theirs = replace(
        bench.place, backend_url=SecretStr(f"file://{bench.data}/theirs"), work_dir=bench.data / "theirs-work"
    )
    folder = Path(bench.data / "theirs")
    for place in (folder, theirs.work_dir):
        place.mkdir()
    (theirs.work_dir / "Pulumi.yaml").write_text(f"name: {theirs.project}\nruntime: python\n")
    environment = {
        **os.environ,
        "PULUMI_HOME": str(bench.data / "pulumi" / "home"),
        "PULUMI_BACKEND_URL": theirs.backend_url.get_secret_value(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    command = [str(bench.probe.tools().pulumi), "--non-interactive", "stack", "init", SLUG]
    subprocess.run(command, cwd=theirs.work_dir, env=environment, check=True, capture_output=True, timeout=patient(60))
    made = state_files.files_of(theirs.backend_url.get_secret_value(), project=theirs.project, stack=SLUG)
    assert made is not None
    bench.files.root.mkdir(parents=True)
    state_files.create(bench.files)

    by_cli, ours = (json.loads(files.checkpoint.read_text()) for files in (made, bench.files))
    assert "resources" not in by_cli["checkpoint"].pop("latest"), "but for its key, which the first update chooses"
    assert ours == by_cli
    meta = Path(".pulumi/meta.yaml")
    assert (bench.files.root / meta).read_text() == (folder / meta).read_text()


def test_the_first_update_gives_a_new_stack_its_key(bench: Bench) -> None:
    bench.up()
    state = bench.files.checkpoint.read_text()
    latest = json.loads(state)["checkpoint"]["latest"]
    assert latest["secrets_providers"]["type"] == "passphrase"
    assert latest["secrets_providers"]["state"]["salt"] in (bench.place.work_dir / f"Pulumi.{SLUG}.yaml").read_text()
    assert TOKEN not in state
    wrong = replace(bench.place, passphrase=SecretStr("another-passphrase"))
    with pytest.raises(ClawstackError):
        bench.engine.up(wrong, bench.program(), ownership=bench.ownership(), on_step=bench.steps.append)


def test_a_stack_that_was_made_and_never_updated_goes_on_or_goes_away(bench: Bench) -> None:
    bench.files.root.mkdir(parents=True)
    state_files.create(bench.files)
    state_files.create(bench.files)
    bench.destroy()
    assert not bench.files.exists()
    state_files.create(bench.files)
    bench.up()
    there = bench.files.checkpoint.read_bytes()
    state_files.create(bench.files)
    assert bench.files.checkpoint.read_bytes() == there, "what is there is never written over"


def test_a_preview_changes_nothing_even_for_a_stack_still_to_come(bench: Bench) -> None:
    outcome = bench.engine.preview(
        bench.place, bench.program(), ownership=bench.ownership(), on_step=bench.steps.append
    )
    assert outcome.changes == {"create": 2}
    assert [step.message for step in bench.steps if step.kind == "resource"] == ["Would create cell cell."]
    assert not bench.files.root.exists()
    assert bench.probe.journal() == []


def test_a_preview_of_a_stack_at_work_does_not_disturb_it(bench: Bench) -> None:
    bench.up()
    before = {path: path.stat().st_mtime_ns for path in bench.data.rglob("*.yaml")}
    checkpoint = bench.files.checkpoint.read_bytes()
    bench.steps.clear()
    outcome = bench.engine.preview(
        bench.place, bench.program("new"), ownership=bench.ownership(), on_step=bench.steps.append
    )
    assert outcome.changes == {"same": 1, "update": 1}
    assert [step.message for step in bench.steps if step.kind == "resource"] == ["Would update cell cell."]
    assert {path: path.stat().st_mtime_ns for path in bench.data.rglob("*.yaml")} == before
    assert bench.files.checkpoint.read_bytes() == checkpoint


def test_cancelling_ends_every_process_and_leaves_no_lock(bench: Bench) -> None:
    hold = bench.probe.hold("create", SLUG)
    control = bench.control(grace=10)
    thread, raised = bench.in_background("up", control)
    wait(lambda: bench.probe.begun("create", SLUG))
    assert len(engine_processes(bench.data)) >= 2, "the CLI and the plugin"
    control.stop(StopReason.CANCELLED)
    hold.unlink()
    thread.join(patient(30))
    assert [type(error) for error in raised] == [OperationStoppedError]
    assert engine_processes(bench.data) == []
    assert list(bench.files.locks.glob("*.json")) == [], "a graceful end gives the lock back"
    assert list((bench.data / "pulumi" / "tmp").iterdir()) == [], (
        "what the plugin put into its temporary folder is gone"
    )


def test_what_does_not_stop_in_its_grace_is_killed_and_the_next_run_recovers(bench: Bench) -> None:
    hold = bench.probe.hold("create", SLUG)
    control = bench.control(grace=0.5)
    thread, raised = bench.in_background("up", control)
    wait(lambda: bench.probe.begun("create", SLUG))
    left = list((bench.data / "pulumi" / "tmp").glob("run-*/kubeconfig-*"))
    assert [TOKEN in file.read_text() for file in left] == [True], "as the official kubernetes provider leaves it"
    control.stop(StopReason.CANCELLED)
    thread.join(patient(30))
    assert [type(error) for error in raised] == [OperationStoppedError]
    assert engine_processes(bench.data) == []
    assert list((bench.data / "pulumi" / "tmp").iterdir()) == []
    assert len(list(bench.files.locks.glob("*.json"))) == 1, "a killed CLI leaves its lock"
    assert pending_creates_of(state_files.deployment(bench.files)), "and a creation of which nobody knows"

    hold.unlink()
    asked: list[list[str]] = []

    def undo(deployment: Mapping[str, Any]) -> list[str]:
        asked.append(pending_creates_of(deployment))
        return ["server emma"]

    outcome = bench.engine.up(
        bench.place, bench.program(), ownership=bench.ownership(), on_step=bench.steps.append, undo=undo
    )
    assert outcome.outputs == {"endpoint": f"probe://{SLUG}"}
    assert [len(pending) for pending in asked] == [1], "what was under way is undone before it is made again"
    assert pending_creates_of(state_files.deployment(bench.files)) == []
    assert any("lock of process" in step.message for step in bench.steps)
    assert any("had made server emma" in step.message for step in bench.steps)


def test_a_kill_between_attributes_and_state_is_no_obstacle(bench: Bench) -> None:
    """The file store empties `.attrs` in place before it renames the state: found by a kill that hit the instant."""
    assert bench.up() == {"endpoint": f"probe://{SLUG}"}
    attributes = bench.files.checkpoint.with_name(f"{bench.files.checkpoint.name}.attrs")
    assert attributes.stat().st_size, "the CLI writes one"
    attributes.write_text("")
    assert bench.up("again") == {"endpoint": f"probe://{SLUG}"}
    assert any("attribute file" in step.message for step in bench.steps)
    attributes.write_text("")
    bench.destroy()
    assert not bench.files.exists()


def test_a_creation_that_was_killed_is_found_again_before_it_is_destroyed(bench: Bench) -> None:
    bench.probe.hold("create", SLUG)
    control = bench.control(grace=0)
    thread, _ = bench.in_background("up", control)
    wait(lambda: bench.probe.begun("create", SLUG))
    control.stop(StopReason.CANCELLED)
    thread.join(patient(30))
    assert bench.probe.cell(SLUG) is not None, "the killed run had made it"
    (bench.probe.folder / f"hold-create-{SLUG}").unlink()

    bench.destroy()
    assert bench.probe.cell(SLUG) is None, "nothing is left behind that the state did not know"
    assert not bench.files.exists()


def test_state_elsewhere_recovers_through_the_cli_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a bucket: the engine may not look into files, so it learns of lock and pending creation from the CLI."""
    look = state_files.files_of
    monkeypatch.setattr(state_files, "files_of", lambda *_, **__: None)
    bench.probe.hold("create", SLUG)
    bench.data.joinpath("state", SLUG).mkdir(parents=True)
    control = bench.control(grace=0)
    thread, _ = bench.in_background("up", control)
    wait(lambda: bench.probe.begun("create", SLUG))
    control.stop(StopReason.CANCELLED)
    thread.join(patient(30))
    files = look(bench.place.backend_url.get_secret_value(), project=bench.place.project, stack=SLUG)
    assert files is not None
    assert len(list(files.locks.glob("*.json"))) == 1

    (bench.probe.folder / f"hold-create-{SLUG}").unlink()
    bench.place = replace(bench.place, exists=True, suspect=True)
    bench.up()
    assert list(files.locks.glob("*.json")) == []
    assert pending_creates_of(state_files.deployment(files)) == []
    bench.place = replace(bench.place, suspect=False)
    starts = len(bench.probe.starts())
    bench.destroy()
    assert verbs(bench.probe.starts()[starts:]) == ["stack", "destroy"], "what is secret in it is read first"
    assert bench.probe.cell(SLUG) is None
    bench.destroy()
    assert len(bench.probe.starts()) == starts + 3, "what is gone elsewhere is asked for once"


def test_a_stack_whose_state_was_lost_is_found_again_before_it_is_destroyed(bench: Bench) -> None:
    bench.up()
    shutil.rmtree(bench.files.root)
    bench.place = replace(bench.place, exists=True)
    bench.destroy()
    assert bench.probe.cell(SLUG) is None
    assert not bench.files.exists()


def test_a_program_that_cannot_be_built_any_more_does_not_keep_a_stack_alive(bench: Bench) -> None:
    bench.up()

    def impossible() -> None:
        raise InvalidInputError("There is no plan 'gone'.")

    bench.engine.destroy(bench.place, impossible, ownership=bench.ownership(), on_step=bench.steps.append)
    assert bench.probe.cell(SLUG) is None


def test_a_killed_run_leaves_no_thread_behind(bench: Bench) -> None:
    bench.probe.hold("create", SLUG)
    control = bench.control(grace=0)
    thread, _ = bench.in_background("up", control)
    wait(lambda: bench.probe.begun("create", SLUG))
    control.stop(StopReason.CANCELLED)
    thread.join(patient(30))
    names = ("inline", "pulumi-")
    wait(lambda: not [other.name for other in threading.enumerate() if other.name.startswith(names)])


def test_an_operation_ends_when_its_budget_is_used_up(bench: Bench) -> None:
    bench.probe.hold("create", SLUG)
    started = time.monotonic()
    with pytest.raises(OperationStoppedError) as caught:
        bench.up(control=bench.control(budget=3, grace=0.5))
    assert caught.value.reason is StopReason.BUDGET
    assert time.monotonic() - started < patient(15)
    assert engine_processes(bench.data) == []


def test_the_lock_of_a_living_process_is_respected(bench: Bench) -> None:
    bench.up()
    bench.files.locks.mkdir(parents=True, exist_ok=True)
    lock = bench.files.locks / "0000.json"
    me = psutil.Process()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(me.create_time() + 60))
    lock.write_text(json.dumps({"pid": me.pid, "username": "x", "hostname": os.uname().nodename, "timestamp": stamp}))
    with pytest.raises(TemporaryError) as caught:
        bench.up("changed")
    assert caught.value.code == "stack_locked"
    assert lock.exists()

    elsewhere = {"pid": 1, "username": "x", "hostname": "another-host", "timestamp": stamp}
    lock.write_text(json.dumps(elsewhere))
    with pytest.raises(TemporaryError):
        bench.up("changed")
    assert lock.exists(), "nothing proves that a process of another machine is dead"


def test_a_state_file_that_was_cut_short_is_replaced_by_the_one_before(bench: Bench) -> None:
    bench.up()
    bench.up("changed")
    bench.files.checkpoint.write_bytes(b"")
    bench.up("changed")
    assert bench.probe.begun("create", SLUG) == 1, "the cell is still known"
    assert any("cut short" in step.message for step in bench.steps)


def test_a_wrong_passphrase_is_for_an_operator(bench: Bench) -> None:
    bench.up()
    bench.place = replace(bench.place, passphrase=SecretStr("another-passphrase-0123456789"))
    with pytest.raises(NeedsAttentionError) as caught:
        bench.up()
    assert caught.value.code == "wrong_passphrase"


def test_a_provider_says_in_its_own_words_what_is_wrong(bench: Bench) -> None:
    bench.probe.fail("create", SLUG, "The disk of this machine is full of cats.")
    with pytest.raises(TemporaryError) as caught:
        bench.up()
    assert caught.value.message == "The disk of this machine is full of cats."


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize(("work", "op"), [("destroy", "delete"), ("refresh", "read")])
def test_a_secret_of_an_earlier_run_that_a_provider_quotes_is_told_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, work: str, op: str, elsewhere: bool
) -> None:
    """At a destroy no program registers anything, and what a refresh reads may be older than what is registered now."""
    bench.up()
    if elsewhere:
        bench.place = replace(bench.place, exists=True)
        monkeypatch.setattr(state_files, "files_of", lambda *_, **__: None)
    bench.probe.fail(op, SLUG, f'raw: Invalid value: "{TOKEN}": it has no business here.')
    with pytest.raises(TemporaryError, match="it has no business here") as told:
        getattr(bench, work)()
    texts = [told.value.sentence(), *(step.message for step in bench.steps)]
    assert not [text for text in texts if TOKEN in text]
    assert any(f'Invalid value: "{MASK}"' in text for text in texts)


def test_a_program_that_fails_is_a_defect(bench: Bench) -> None:
    def broken() -> None:
        raise ValueError("planted")

    with pytest.raises(PermanentError) as caught:
        bench.engine.up(bench.place, broken, ownership=bench.ownership(), on_step=bench.steps.append)
    assert caught.value.code == "program_failed"


def test_a_process_that_could_not_be_written_down_never_starts(bench: Bench) -> None:
    def refuse(_: ProcessIdentity) -> None:
        raise TemporaryError("no database")

    with pytest.raises(TemporaryError, match="no database"):
        bench.engine.up(
            bench.place,
            bench.program(),
            ownership=Ownership(control=bench.control(), on_process=refuse),
            on_step=bench.steps.append,
        )
    assert bench.probe.starts() == []
    assert engine_processes(bench.data) == []


def test_a_worker_that_dies_before_the_gate_opens_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    """The gate: a child whose worker is killed before it wrote the child down must end by itself."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # the worker: starts a gated process, tells its PID, and is killed
        from services.cells.engine.process import OwnedProcess

        process = OwnedProcess(["/usr/bin/touch", str(tmp_path / "ran")], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
        os.write(writer, str(process.identity.group).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    gate = int(os.read(reader, 20))
    os.waitpid(child, 0)
    wait(lambda: not psutil.pid_exists(gate) or psutil.Process(gate).status() == psutil.STATUS_ZOMBIE)
    assert not (tmp_path / "ran").exists()


def test_nothing_secret_is_in_arguments_environment_or_state(bench: Bench) -> None:
    hold = bench.probe.hold("create", SLUG)
    thread, raised = bench.in_background("up", bench.control())
    wait(lambda: bench.probe.begun("create", SLUG))
    seen_arguments, seen_environment = [], []
    for process in engine_processes(bench.data):
        seen_arguments.append(" ".join(process.cmdline()))
        seen_environment.append(process.environ())
    hold.unlink()
    thread.join(patient(30))
    assert raised == []
    assert len(seen_arguments) >= 2
    planted = (PASSPHRASE, TOKEN, "planted-master-key", "planted-parent-secret")
    for secret in planted:
        assert all(secret not in line for line in seen_arguments + bench.probe.starts())
    for environment in seen_environment:
        assert "planted-master-key" not in environment.values()
        assert "planted-parent-secret" not in environment.values()
    written = [path for path in bench.data.rglob("*") if path.is_file() and "probe" not in path.parts]
    assert written
    for path in written:
        content = path.read_bytes()
        assert PASSPHRASE.encode() not in content, path
        assert TOKEN.encode() not in content, path
