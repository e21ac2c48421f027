"""The engine's pure parts: environment, narration, judgement of failures, state files, time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation.errors import CommandError, create_command_error

from clawstack.errors import (
    ClawstackError,
    InvalidInputError,
    NeedsAttentionError,
    PermanentError,
    TemporaryError,
)
from services.cells.engine import state_files
from services.cells.engine.control import OperationStoppedError, RunControl, StopReason
from services.cells.engine.environment import SWITCHES, cli_environment
from services.cells.engine.failures import classify
from services.cells.engine.identity import this_host
from services.cells.engine.narration import Findings, NarratedStep, Narrator, Violation, describe, public_outputs
from services.cells.engine.remote_state import all_holders_are_dead, deployment_in, pending_creates_of
from services.cells.engine.state_files import StackFiles
from services.cells.provisioner.bookkeeping import BACKOFF

URN = "urn:pulumi:emma-1::clawstack-cells::clawstack:tenants:Cell$clawstack:process:StateDirectory::state"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


# --- environment ---------------------------------------------------------------------------------------------------


def environment(parent: dict[str, str], url: str = "file:///state/emma") -> dict[str, str]:
    return cli_environment(
        parent, backend_url=url, passphrase="p4ss", pulumi_home=Path("/home/p"), plugin_path=(Path("/plugins"),)
    )


def test_the_cli_gets_nothing_of_the_workers_secrets() -> None:
    parent = {
        "CLAWSTACK_MASTER_KEY": "k",
        "CLAWSTACK_STRIPE_API_KEY": "sk_live_x",
        "OPENAI_API_KEY": "o",
        "AWS_SECRET_ACCESS_KEY": "a",
        "PULUMI_CONFIG_PASSPHRASE": "of somebody else",
        "PULUMI_ACCESS_TOKEN": "t",
        "PATH": "/evil",
        "HOME": "/root",
        "LD_PRELOAD": "/evil.so",
        "LANG": "C.UTF-8",
    }
    given = environment(parent)
    own = {"PATH", "HOME", "PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_PYTHON_CMD"}
    assert set(given) == own | {"LANG"} | set(SWITCHES)
    assert given["PULUMI_CONFIG_PASSPHRASE"] == "p4ss"
    assert given["PATH"].startswith("/plugins:")
    assert "/evil" not in given["PATH"]


@pytest.mark.parametrize(
    ("url", "passed"),
    [
        ("file:///x", set()),
        ("s3://bucket/x", {"AWS_PROFILE"}),
        ("gs://bucket", {"GOOGLE_X"}),
        ("azblob://c", {"ARM_X"}),
    ],
)
def test_a_remote_backend_gets_its_own_credentials_only(url: str, passed: set[str]) -> None:
    parent = {"AWS_PROFILE": "a", "GOOGLE_X": "g", "ARM_X": "z"}
    assert set(environment(parent, url)) & set(parent) == passed


# --- narration -----------------------------------------------------------------------------------------------------


def read(*events: dict[str, Any], preview: bool = False) -> tuple[list[NarratedStep], Findings]:
    narrator = Narrator(preview=preview)
    steps = [narrator.read(EngineEvent.from_json(event)) for event in events]
    return [step for step in steps if step is not None], narrator.findings


def metadata(op: str, urn: str = URN, **new: Any) -> dict[str, Any]:
    kind = urn.split("::")[2].rsplit("$", 1)[-1]
    return {"metadata": {"op": op, "urn": urn, "type": kind, "new": {"urn": urn, "type": kind, **new}}}


def test_steps_are_told_in_sentences() -> None:
    steps, _ = read(
        {"resourcePreEvent": metadata("create")},
        {"resOutputsEvent": metadata("create")},
        {"resourcePreEvent": metadata("same")},
        {"resOpFailedEvent": metadata("delete")},
        {"resourcePreEvent": metadata("create", "urn:pulumi:e::p::pulumi:providers:clawstack::default")},
    )
    assert [step.message for step in steps] == [
        "Creating state directory state.",
        "Created state directory state.",
        "Removing state directory state failed.",
    ]
    assert [step.data["phase"] for step in steps] == ["begun", "done", "failed"]


def test_a_preview_tells_what_would_be_done() -> None:
    steps, _ = read({"resourcePreEvent": metadata("update")}, {"resOutputsEvent": metadata("update")}, preview=True)
    assert [step.message for step in steps] == ["Would update state directory state."]


def test_outputs_are_those_of_the_root_and_never_secret() -> None:
    root = "urn:pulumi:e::p::pulumi:pulumi:Stack::p-e"
    outputs = {"endpoint": "http://x", "token": SECRET, "nested": {"deep": [SECRET]}, "pid": 7}
    steps, findings = read({"resOutputsEvent": metadata("create", root, outputs=outputs)})
    assert steps == []
    assert findings.outputs == {"endpoint": "http://x", "pid": 7}
    assert public_outputs({"a": [1, {"b": SECRET}]}) == {}


def test_debug_and_expected_diagnostics_are_noise_and_errors_are_kept() -> None:
    def diagnostic(severity: str, message: str) -> dict[str, Any]:
        return {"diagnosticEvent": {"severity": severity, "message": message, "color": "never", "urn": URN}}

    steps, findings = read(
        diagnostic("debug", "registering resource"),
        diagnostic("info", "hello"),
        diagnostic("warning", "using pulumi-resource-clawstack from $PATH at /x"),
        diagnostic("warning", "<{%fg 3%}>careful<{%reset%}>\n"),
        diagnostic("error", "x" * 5000),
    )
    assert [step.data["severity"] for step in steps] == ["warning", "error"]
    assert steps[0].message == "careful"
    assert len(steps[1].message) < 2100
    assert len(findings.errors[0]) == 5000, "what it means may stand at its end"


def test_a_violation_names_rule_resource_and_remedy() -> None:
    event = {
        "policyEvent": {
            "message": "Bind to loopback.",
            "policyName": "cell-binds-loopback",
            "policyPackName": "clawstack",
            "enforcementLevel": "mandatory",
            "resourceUrn": URN,
        }
    }
    steps, findings = read(event, {"policyEvent": {**event["policyEvent"], "enforcementLevel": "advisory"}})
    assert steps[0].message == "Rule cell-binds-loopback refuses state directory state: Bind to loopback."
    assert "warns about" in steps[1].message
    assert [violation.rule for violation in findings.violations] == ["cell-binds-loopback"]


def test_the_summary_counts_and_the_last_word_is_noticed() -> None:
    _, findings = read({"summaryEvent": {"resourceChanges": {"create": 2, "same": 1}}}, {"cancelEvent": {}})
    assert findings.changes == {"create": 2, "same": 1}
    assert findings.complete


@pytest.mark.parametrize(
    ("urn", "named"),
    [
        (URN, "state directory state"),
        ("urn:pulumi:e::p::random:index/randomPassword:RandomPassword::a::b", "random password a::b"),
        ("urn:pulumi:e::p::kubernetes:core/v1:PersistentVolumeClaim::x", "persistent volume claim x"),
        ("nonsense", "nonsense"),
        ("", "the stack"),
    ],
)
def test_resources_have_names_for_people(urn: str, named: str) -> None:
    assert describe(urn) == named


# --- failures ------------------------------------------------------------------------------------------------------


def failure(stderr: str = "", stdout: str = "") -> CommandError:
    return create_command_error(CommandResult(stdout=stdout, stderr=stderr, code=255))


def judged(error: BaseException, *errors: str, failed: Sequence[str] = (), program: BaseException | None = None) -> Any:
    findings = Findings(errors=list(errors), failed=list(failed))
    return classify(error, findings, raised_by_program=program)


def test_a_policy_violation_needs_attention_whatever_else_happened() -> None:
    violation = Violation(rule="r", pack="p", resource="gateway g", message="No.")
    found = classify(failure(), Findings(violations=[violation, violation], errors=["x"]), raised_by_program=None)
    assert isinstance(found, NeedsAttentionError)
    assert (found.code, found.message) == (
        "policy_violation",
        "Policy r refuses gateway g: No. (1 more in the operation's events)",
    )


def test_a_lock_held_by_others_is_temporary() -> None:
    found = judged(failure("error: the stack is currently locked by 1 lock(s)."))
    assert isinstance(found, TemporaryError)
    assert found.code == "stack_locked"


def test_a_providers_own_words_pass_through_without_the_engines_frame() -> None:
    frame = f"creating {URN}: 1 error occurred:\n\t* The gateway did not start."
    for text in ("The gateway did not start.", frame):
        found = judged(failure("error: update failed"), text, "update failed", failed=[URN])
        assert isinstance(found, TemporaryError)
        assert (found.code, found.message) == ("provider_failed", "The gateway did not start.")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("error: getting secrets manager: passphrase: incorrect passphrase", "wrong_passphrase"),
        ("error: no resource plugin 'pulumi-resource-x' found in the workspace", "plugin_missing"),
        ("error: snapshot integrity failure; refusing to use it", "state_damaged"),
        ("error: unexpected end of JSON input", "state_damaged"),
    ],
)
def test_what_only_an_operator_can_mend(text: str, code: str) -> None:
    found = judged(failure(text))
    assert isinstance(found, NeedsAttentionError)
    assert found.code == code
    assert found.remedy


def test_a_cli_that_was_killed_is_tried_again() -> None:
    found = judged(create_command_error(CommandResult(stdout="", stderr="", code=-9)))
    assert isinstance(found, TemporaryError)
    assert found.code == "engine_died"


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (InvalidInputError("Bad plan.", code="bad_plan", remedy="Fix."), NeedsAttentionError, "bad_plan"),
        (TemporaryError("Later.", code="later"), TemporaryError, "later"),
        (NeedsAttentionError("You.", code="you"), NeedsAttentionError, "you"),
        (KeyError("x"), PermanentError, "program_failed"),
    ],
)
def test_what_the_program_raised_keeps_its_meaning(
    raised: BaseException, kind: type[ClawstackError], code: str
) -> None:
    found = judged(failure(), program=raised)
    assert (type(found), found.code) == (kind, code)


def test_our_own_errors_stay_what_they_are() -> None:
    stopped = OperationStoppedError(StopReason.BUDGET)
    assert judged(stopped) is stopped


# --- control -------------------------------------------------------------------------------------------------------


def test_the_first_reason_to_stop_stays_and_grace_only_shrinks() -> None:
    control = RunControl(budget=60, grace=60)
    heard = threading.Event()
    control.listen(heard)
    control.check()
    assert not heard.is_set()
    control.stop(StopReason.CANCELLED)
    assert heard.is_set()
    assert not control.grace_is_over()
    control.stop(StopReason.LEASE_LOST, at_once=True)
    assert control.reason is StopReason.CANCELLED
    assert control.grace_is_over()
    control.stop(StopReason.SHUTDOWN)
    assert control.grace_is_over()
    with pytest.raises(OperationStoppedError):
        control.check()


def test_an_exhausted_budget_is_a_reason_of_its_own() -> None:
    control = RunControl(budget=0, grace=60)
    assert control.reason is StopReason.BUDGET
    assert not control.grace_is_over()
    assert 0 < control.seconds_to_next_step() <= 60


# --- state files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    found = state_files.files_of(f"file://{tmp_path}", project="p", stack="emma")
    assert found is not None
    found.checkpoint.parent.mkdir(parents=True)
    found.locks.mkdir(parents=True)
    return found


def checkpoint(*pending: str) -> str:
    operations = [{"resource": {"urn": urn}, "type": kind} for kind, urn in (item.split() for item in pending)]
    return json.dumps({"version": 3, "checkpoint": {"latest": {"pending_operations": operations}}})


def test_only_files_can_be_looked_at() -> None:
    assert state_files.files_of("s3://bucket/emma", project="p", stack="emma") is None
    found = state_files.files_of("file:///with%20space/emma", project="p", stack="emma")
    assert found is not None
    assert found.root == Path("/with space/emma")


@pytest.mark.parametrize("content", ["", '{"version": 3, "checkpo', "null", "[]"])
def test_a_damaged_state_is_replaced_by_a_good_backup(files: StackFiles, content: str) -> None:
    files.checkpoint.write_text(content)
    assert not state_files.mend(files), "no backup, no mending"
    files.backup.write_text(checkpoint())
    assert state_files.mend(files)
    assert files.checkpoint.read_text() == checkpoint()
    assert not state_files.mend(files)


def test_neither_a_good_nor_a_missing_state_is_touched(files: StackFiles) -> None:
    files.backup.write_text(checkpoint("creating urn:old"))
    assert not state_files.mend(files)
    assert not files.exists(), "a removed stack leaves only its backup; it must not rise again"
    files.checkpoint.write_text(checkpoint())
    assert not state_files.mend(files)
    assert files.checkpoint.read_text() == checkpoint()


@pytest.mark.parametrize("name", ["checkpoint", "backup"])
def test_empty_attributes_are_removed_and_whole_ones_stay(files: StackFiles, name: str) -> None:
    assert not state_files.drop_torn_attributes(files)
    path: Path = getattr(files, name)
    attributes = path.with_name(f"{path.name}.attrs")
    attributes.write_text('{"user.content_type":"application/json"}\n')
    assert not state_files.drop_torn_attributes(files)
    attributes.write_text("")
    assert state_files.drop_torn_attributes(files)
    assert not attributes.exists()
    assert not state_files.drop_torn_attributes(files)


def test_pending_creations_are_found(files: StackFiles) -> None:
    assert pending_creates_of(state_files.deployment(files)) == []
    content = checkpoint("creating urn:a", "updating urn:b", "creating urn:c")
    files.checkpoint.write_text(content)
    assert pending_creates_of(state_files.deployment(files)) == ["urn:a", "urn:c"]
    exported = json.dumps({"version": 3, "deployment": json.loads(content)["checkpoint"]["latest"]})
    assert pending_creates_of(deployment_in(exported)) == ["urn:a", "urn:c"]
    assert pending_creates_of(deployment_in("not json")) == []
    assert pending_creates_of(deployment_in("null")) == []


def test_history_keeps_the_latest(files: StackFiles) -> None:
    folder = files.root / ".pulumi" / "history" / "p" / "emma"
    folder.mkdir(parents=True)
    for number in range(10, 16):
        for ending in ("history.json", "history.json.attrs", "checkpoint.json", "checkpoint.json.attrs"):
            (folder / f"emma-{number}.{ending}").touch()
    state_files.prune_history(files, keep=2)
    assert {path.name.split(".")[0] for path in folder.iterdir()} == {"emma-14", "emma-15"}
    assert len(list(folder.iterdir())) == 8


def test_locks_elsewhere_are_broken_only_when_all_holders_must_be_dead() -> None:
    dead, alive = (
        f"\n  s3://bucket/x: created by root@{this_host()} (pid {pid}) at 2999-11-21T07:46:10Z"
        for pid in (2**22 - 3, os.getpid())
    )
    now = datetime.now(UTC)
    fresh, stale = (
        f"\n  s3://bucket/y: created by root@elsewhere (pid 7) at {now - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}"
        for age in (50, 70)
    )
    locked = "error: the stack is currently locked by {} lock(s). Either wait"
    assert all_holders_are_dead(locked.format(1) + dead, elsewhere_after=60)
    assert all_holders_are_dead(locked.format(2) + dead + dead, elsewhere_after=60)
    assert not all_holders_are_dead(locked.format(2) + dead, elsewhere_after=60), "one lock is not named"
    assert not all_holders_are_dead(locked.format(1) + alive, elsewhere_after=60)
    assert not all_holders_are_dead(locked.format(2) + dead + fresh, elsewhere_after=60)
    assert all_holders_are_dead(locked.format(2) + dead + stale, elsewhere_after=60), "no operation takes that long"
    assert not all_holders_are_dead("something else", elsewhere_after=60)


@pytest.mark.parametrize(
    ("owner", "removed"),
    [
        ({"pid": 2**22 - 3, "hostname": "HERE", "timestamp": "2026-11-21T07:46:10.029965503Z"}, True),
        ({"pid": "SELF", "hostname": "HERE", "timestamp": "FUTURE"}, False),
        ({"pid": "SELF", "hostname": "HERE", "timestamp": "2020-01-01T00:00:00Z"}, True),  # an older holder of the PID
        ({"pid": 2**22 - 3, "hostname": "elsewhere", "timestamp": "2026-11-21T07:46:10Z"}, False),
        ({"pid": 2**22 - 3}, False),
        ("not an object", False),
    ],
)
def test_a_lock_is_broken_only_when_its_owner_is_proven_dead(files: StackFiles, owner: Any, removed: bool) -> None:
    if isinstance(owner, dict):
        names = {"HERE": this_host(), "SELF": os.getpid(), "FUTURE": "2999-01-01T00:00:00+00:00"}
        owner = {key: names.get(value, value) for key, value in owner.items()}
    lock = files.locks / "a.json"
    lock.write_text(json.dumps(owner))
    assert bool(state_files.break_stale_locks(files)) is removed
    assert lock.exists() is not removed


# --- time ----------------------------------------------------------------------------------------------------------


def test_delays_double_stay_bounded_and_respect_what_was_asked() -> None:
    middle = [BACKOFF.seconds(failures, at_least=0, random_unit=0.5) for failures in range(1, 12)]
    assert middle[:5] == [2, 4, 8, 16, 32]
    assert middle[-1] == 300
    assert BACKOFF.seconds(1, at_least=60, random_unit=0.5) == 60
    spread = {BACKOFF.seconds(3, at_least=0) for _ in range(50)}
    assert len(spread) > 1
    assert all(8 * 0.8 <= value <= 8 * 1.2 for value in spread)
