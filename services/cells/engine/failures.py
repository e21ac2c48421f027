"""Converts whatever a run raised into our own errors, at this one border: temporary, permanent, or needs attention."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pulumi.automation.errors import CommandError, ConcurrentUpdateError

from clawstack.errors import (
    ClawstackError,
    NeedsAttentionError,
    PermanentError,
    TemporaryError,
    as_asked_by_the_platform,
)
from clawstack.hetzner_refusals import retry_of
from services.cells.engine import official
from services.cells.engine.narration import Findings, clean, readable, shortened

_LOCK_RETRY: Final = 5.0
_ENGINE_RETRY: Final = 2.0
_PROVIDER_RETRY: Final = 10.0

#: What the CLI says, and what it means. The first match counts.
_ATTENTION: Final = (
    (re.compile(r"incorrect passphrase"), "wrong_passphrase", "Restore the vault that belongs to this state."),
    (
        re.compile(r"snapshot integrity failure"),
        "state_damaged",
        "Repair the state with `pulumi state repair`, or restore it from a backup.",
    ),
    (
        re.compile(r"no resource plugin '[^']*' found|could not load plugin|failed to load plugin|no language plugin"),
        "plugin_missing",
        "Run `clawstack doctor`: it says which plugin is missing and how to get it.",
    ),
    (
        re.compile(r"unexpected end of JSON input"),
        "state_damaged",
        "Restore the stack's state file from a backup, or remove the empty lock file with `pulumi cancel`.",
    ),
)
_TEMPORARY: Final = re.compile(
    r"(?i)connection (refused|reset)|timed? ?out|temporarily|too many requests|\b(429|502|503|504)\b"
    r"|i/o error|no space left|resource exhausted|unavailable|deadline exceeded"
)
_NOISE: Final = re.compile(r"^(update failed|resource operation failed|preview failed|destroy failed)$")
_BULLET: Final = re.compile(
    r"^(?:creating|updating|deleting|reading|refreshing) urn:\S+: (?:\d+ errors? occurred:\s*\*?\s*)?", re.DOTALL
)


def classify(
    error: BaseException,
    findings: Findings,
    *,
    raised_by_program: BaseException | None,
    scrub: Callable[[str], str] = str,
) -> ClawstackError:
    """The error that the worker acts on. `raised_by_program`: what the inline program itself raised, if anything;
    `scrub` strikes out the run's secrets. The kind is read from all that was said; only then is it cut to be read.
    """
    if isinstance(error, ClawstackError):
        return error
    if findings.violations:
        return _refused(findings)
    if raised_by_program is not None and not isinstance(error, ConcurrentUpdateError):
        return _from_program(raised_by_program, scrub)
    return _from_cli(error, findings, scrub)


def _from_cli(error: BaseException, findings: Findings, scrub: Callable[[str], str]) -> ClawstackError:
    if isinstance(error, ConcurrentUpdateError):
        return TemporaryError(
            "Another process holds the lock of this stack.", code="stack_locked", retry_after=_LOCK_RETRY
        )
    reason, said = _reason(error, findings, scrub), str(error)
    for pattern, code, remedy in _ATTENTION:
        if pattern.search(reason) or pattern.search(said):
            return NeedsAttentionError(
                f"Pulumi cannot work on this stack: {_first_line(reason)}", code=code, remedy=remedy
            )
    if isinstance(error, CommandError):
        return _from_engine(reason, findings)
    return PermanentError(
        f"The engine failed: {type(error).__name__}: {_first_line(scrub(said))}", code="engine_failed"
    )


def _refused(findings: Findings) -> NeedsAttentionError:
    first, more = findings.violations[0], len(findings.violations) - 1
    others = f" ({more} more in the operation's events)" if more else ""
    return NeedsAttentionError(
        f"Policy {first.rule} refuses {first.resource}: {first.message}{others}",
        code="policy_violation",
        remedy="Change the tenant so that it keeps the rule, or have the policy pack's owner change the rule; then retry.",
    )


def _from_program(error: BaseException, scrub: Callable[[str], str]) -> ClawstackError:
    if isinstance(error, ClawstackError):
        return as_asked_by_the_platform(error)
    return PermanentError(
        f"The cell's program failed: {type(error).__name__}: {_first_line(scrub(str(error)))}", code="program_failed"
    )


def _from_engine(reason: str, findings: Findings) -> ClawstackError:
    told = shortened(official.without_values(reason))
    if findings.marked is not None:
        return _as_marked(findings.marked, told)
    if official.refuses_input(reason):
        return PermanentError(told, code="inputs_refused")
    known = official.meaning(reason, told)
    if known is not None:
        return known
    if findings.failed or findings.errors:
        retry = _PROVIDER_RETRY if not _TEMPORARY.search(reason) else _ENGINE_RETRY
        return TemporaryError(told, code="provider_failed", retry_after=retry)
    return TemporaryError(f"Pulumi ended early: {told}", code="engine_died", retry_after=_ENGINE_RETRY)


def _as_marked(marked: ClawstackError, reason: str) -> ClawstackError:
    if isinstance(marked, TemporaryError):
        retry = retry_of(marked.code)
        return TemporaryError(reason, code=marked.code, retry_after=_PROVIDER_RETRY if retry is None else retry)
    kind = NeedsAttentionError if isinstance(marked, NeedsAttentionError) else PermanentError
    return kind(reason, code=marked.code)


def _reason(error: BaseException, findings: Findings, scrub: Callable[[str], str]) -> str:
    """The sentence that says most: a provider's own words before the CLI's. In full."""
    told = [text for text in map(_without_frame, findings.errors) if text and not _NOISE.match(text)]
    if told:
        return told[0]
    return _last_words(scrub(str(error)).splitlines())


def _without_frame(message: str) -> str:
    return _BULLET.sub("", readable(message)).strip()


def _last_words(lines: Sequence[str]) -> str:
    told = [line.strip() for line in lines if "error:" in line] or [line.strip() for line in lines if line.strip()]
    return clean(told[-1]) if told else "no reason was given"


def _first_line(text: str) -> str:
    return clean(text.splitlines()[0] if text else "")
