"""Turns the engine's events into sentences that people may read, and keeps what the outcome is judged by."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, PolicyEvent, StepEventMetadata

from clawstack.error_marks import marked_error, without_marks
from clawstack.errors import ClawstackError
from clawstack.vocabulary import EventKind

STACK_TYPE: Final = "pulumi:pulumi:Stack"
_PROVIDER_TYPE: Final = "pulumi:providers:"
#: Pulumi marks values with this key; such a value is a secret or a reference, never plain data.
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_LONGEST_MESSAGE: Final = 2000

#: Under way, done, foreseen.
_VERBS: Final[dict[OpType, tuple[str, str, str]]] = {
    OpType.CREATE: ("Creating", "Created", "Would create"),
    OpType.UPDATE: ("Updating", "Updated", "Would update"),
    OpType.DELETE: ("Removing", "Removed", "Would remove"),
    OpType.CREATE_REPLACEMENT: ("Creating the replacement of", "Created the replacement of", "Would replace"),
    OpType.DELETE_REPLACED: ("Removing the replaced", "Removed the replaced", "Would remove the replaced"),
    OpType.READ: ("Reading", "Read", "Would read"),
    OpType.REFRESH: ("Checking", "Checked", "Would check"),
    OpType.IMPORT: ("Importing", "Imported", "Would import"),
}
#: Colours, and control characters, of which PostgreSQL refuses one.
_UNREADABLE: Final = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f]")
#: Where plugins are is our doing, and `clawstack doctor` tells it.
_EXPECTED: Final = re.compile(r"using pulumi-\S+ from \$PATH at ")
#: What the engine puts before a program's own words.
_FRAME: Final = re.compile(r"^an unhandled error occurred: (program failed: )?")
#: Where in its own source an official provider says something, and its version: nothing that a person can act on.
_SOURCE: Final = re.compile(r"\S+\.go:\d+: (?:sdk\.\w+: )?|:? ?\bprovider=[\w-]+@\S+")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class NarratedStep:
    """One thing that happened, as a person may read it; not redacted yet."""

    kind: EventKind
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A mandatory rule of the policy pack that a resource breaks."""

    rule: str
    pack: str
    resource: str
    message: str


@dataclass(kw_only=True, slots=True)
class Findings:
    """What is known at the end of a run."""

    outputs: dict[str, Any] = field(default_factory=dict)
    """Plain stack outputs; secrets are left out."""
    changes: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Error diagnostics of providers and engine, oldest first, without secrets, in full: their end may say their kind."""
    marked: ClawstackError | None = None
    """What a provider of ours said of the kind of its failure; the first one counts."""
    failed: list[str] = field(default_factory=list)
    """Resources whose step failed."""
    complete: bool = False
    """The engine said its last word."""


class Narrator:
    """Reads one run's events in order."""

    def __init__(self, *, preview: bool = False, scrub: Callable[[str], str] = str) -> None:
        """`preview`: nothing is done, only foreseen. `scrub` strikes out the run's secrets."""
        self.findings = Findings()
        self._scrub = scrub
        self._preview = preview
        self._begun: dict[str, float] = {}

    def read(self, event: EngineEvent) -> NarratedStep | None:
        """The step that this event tells of, None for noise."""
        if event.resource_pre_event is not None:
            return self._begin(event.resource_pre_event.metadata)
        if event.res_outputs_event is not None:
            return self._done(event.res_outputs_event.metadata)
        if event.res_op_failed_event is not None:
            return self._failed(event.res_op_failed_event.metadata)
        if event.diagnostic_event is not None:
            return self._diagnose(event.diagnostic_event)
        if event.policy_event is not None:
            return self._judge(event.policy_event)
        if event.summary_event is not None:
            self.findings.changes = {
                str(_plain(key)): count for key, count in event.summary_event.resource_changes.items()
            }
        if event.cancel_event is not None:
            self.findings.complete = True
        return None

    def _begin(self, step: StepEventMetadata) -> NarratedStep | None:
        self._begun[step.urn] = time.monotonic()
        if step.op not in _VERBS or _is_machinery(step):
            return None
        return NarratedStep(
            kind=EventKind.RESOURCE,
            message=f"{_VERBS[step.op][2 if self._preview else 0]} {describe(step.urn)}.",
            data=_data(step, phase="foreseen" if self._preview else "begun"),
        )

    def _done(self, step: StepEventMetadata) -> NarratedStep | None:
        if step.type == STACK_TYPE:
            if step.new is not None:
                self.findings.outputs = public_outputs(step.new.outputs or {})
            return None
        if step.op not in _VERBS or self._preview or _is_machinery(step):
            return None
        seconds = round(time.monotonic() - self._begun.get(step.urn, time.monotonic()), 2)
        return NarratedStep(
            kind=EventKind.RESOURCE,
            message=f"{_VERBS[step.op][1]} {describe(step.urn)}.",
            data={**_data(step, phase="done"), "seconds": seconds},
        )

    def _failed(self, step: StepEventMetadata) -> NarratedStep:
        verb = _VERBS[step.op][0] if step.op in _VERBS else "Changing"
        self.findings.failed.append(step.urn)
        return NarratedStep(
            kind=EventKind.RESOURCE,
            message=f"{verb} {describe(step.urn)} failed.",
            data=_data(step, phase="failed"),
        )

    def _diagnose(self, event: DiagnosticEvent) -> NarratedStep | None:
        if event.severity not in {"error", "warning"}:
            return None
        # Struck out first, then cut: a secret whose end is cut off would not be found any more.
        told = _FRAME.sub("", readable(self._scrub(event.message)))
        message = shortened(told)
        if not message or _EXPECTED.search(message):
            return None
        if event.severity == "error":
            self.findings.errors.append(told)
            self.findings.marked = self.findings.marked or marked_error(event.message)
        return NarratedStep(
            kind=EventKind.DIAGNOSTIC, message=message, data={"severity": event.severity, "resource": event.urn or None}
        )

    def _judge(self, event: PolicyEvent) -> NarratedStep:
        resource = event.resource_urn or ""
        violation = Violation(
            rule=event.policy_name,
            pack=event.policy_pack_name,
            resource=describe(resource) if resource else "the stack",
            # The rule's description, then what it found here: one paragraph.
            message=" ".join(clean(self._scrub(event.message)).split()),
        )
        mandatory = event.enforcement_level == "mandatory"
        if mandatory:
            self.findings.violations.append(violation)
        return NarratedStep(
            kind=EventKind.POLICY,
            message=f"Rule {violation.rule} {'refuses' if mandatory else 'warns about'} {violation.resource}: {violation.message}",
            data={
                "rule": violation.rule,
                "pack": violation.pack,
                "resource": resource,
                "level": event.enforcement_level,
            },
        )


def describe(urn: str) -> str:
    """A resource as a person would name it: `urn:...::clawstack:process:StateDirectory::state` is "state directory state"."""
    parts = urn.split("::")
    if len(parts) < 4:  # noqa: PLR2004 - urn:pulumi:STACK::PROJECT::TYPES::NAME
        return urn or "the stack"
    kind = parts[2].rsplit("$", 1)[-1].rsplit(":", 1)[-1]
    words = " ".join(word.lower() for word in _WORD.findall(kind))
    return f"{words} {'::'.join(parts[3:])}"


def public_outputs(outputs: Any) -> dict[str, Any]:
    """Outputs without those that are, or hold, a secret or a reference."""
    return {key: value for key, value in dict(outputs).items() if not _holds_signature(value)}


def clean(message: str) -> str:
    """Text as a person should read it, bounded."""
    return shortened(readable(message))


def readable(message: str) -> str:
    """Text without colours, control characters, marks of errors and places in a provider's source; as long as it is."""
    return without_marks(_SOURCE.sub("", _UNREADABLE.sub("", message))).strip()


def shortened(text: str) -> str:
    """At most as much as is kept of one message."""
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " ..."


def _is_machinery(step: StepEventMetadata) -> bool:
    """Pulumi's own resources: the stack's root and the entries for plugins."""
    return step.type == STACK_TYPE or step.type.startswith(_PROVIDER_TYPE)


def _holds_signature(value: Any) -> bool:
    if isinstance(value, dict):
        return _SIGNATURE in value or any(_holds_signature(member) for member in value.values())
    if isinstance(value, list):
        return any(_holds_signature(member) for member in value)
    return False


def _data(step: StepEventMetadata, *, phase: str) -> dict[str, Any]:
    return {"op": step.op.value, "type": step.type, "resource": step.urn, "phase": phase}


def _plain(key: Any) -> Any:
    return key.value if isinstance(key, OpType) else key
