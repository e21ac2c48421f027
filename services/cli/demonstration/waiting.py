"""How long to wait for a tenant: as long as something is at work on it, however slow the machine is.

A clock alone cannot tell a busy machine from a platform that has given up. So the wait looks at what the platform says
about the tenant and its operations: it ends when the wish came true, when somebody is asked to act, or when for a
while nothing was alive that could still bring it about. An operation has its own time budget, which the platform keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from clawstack.errors import ClawstackError, PermanentError, TemporaryError
from clawstack.vocabulary import STUCK, OperationStatus, TenantState

QUIET_SECONDS: Final = 180.0
"""So long may nothing at all be alive: an event may be on its way, a job in the queue, the platform out of breath."""
TELL_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one look at a tenant showed."""

    state: str
    code: str | None = None
    reason: str | None = None
    operation: str | None = None
    """The newest operation's id."""
    kind: str | None = None
    status: str | None = None
    attempt: int = 1
    retry_at: datetime | None = None
    """When the platform tries again by itself."""

    @classmethod
    def of(cls, tenant: dict[str, Any], operations: Sequence[dict[str, Any]]) -> Seen:
        """From the answers of `/v1`; `operations` newest first."""
        retry_at = tenant["retry_at"]
        newest = operations[0] if operations else {}
        return cls(
            state=tenant["state"],
            code=tenant["state_code"],
            reason=tenant["state_reason"],
            operation=newest.get("id"),
            kind=newest.get("kind"),
            status=newest.get("status"),
            attempt=newest.get("attempt", 1),
            retry_at=None if retry_at is None else datetime.fromisoformat(retry_at),
        )

    @property
    def running(self) -> bool:
        """An operation is at work."""
        return self.status == OperationStatus.RUNNING

    def alive(self, now: datetime) -> bool:
        """An operation is at work, or another attempt is announced."""
        return self.running or (self.retry_at is not None and self.retry_at > now)

    def sentence(self) -> str:
        """In a few words, for people."""
        why = f" ({self.code}: {self.reason})" if self.reason else ""
        if self.kind is None:
            return f"it is {self.state}{why}, no operation has begun"
        again = f", to be tried again at {self.retry_at:%H:%M:%S}" if self.retry_at and not self.running else ""
        return f"it is {self.state}{why}; {self.kind}, attempt {self.attempt}, {self.status}{again}"


class WaitVerdict(StrEnum):
    """What follows from a look."""

    REACHED = "reached"
    WAIT = "wait"
    ENDED_BADLY = "ended badly"
    """Nothing goes on before somebody acts."""
    NOTHING_ALIVE = "nothing alive"
    """No operation runs, none is announced, and it has been so for a while."""


def judge(wanted: str, first: Seen, seen: Seen | None, *, quiet: float) -> WaitVerdict:
    """What to do on what was seen.

    `first`: what the wait began with, for a tenant that somebody has just helped out of `needs_attention` is still
    shown as that. `seen` is None when the platform did not answer. `quiet`: seconds since something was alive or changed.
    """
    if seen is not None:
        if seen.state == wanted:
            return WaitVerdict.REACHED
        if seen.state == TenantState.DELETED:
            return WaitVerdict.ENDED_BADLY
        news = first.state not in STUCK or seen.operation != first.operation
        if seen.state in STUCK and not seen.running and news:
            return WaitVerdict.ENDED_BADLY
    return WaitVerdict.NOTHING_ALIVE if quiet >= QUIET_SECONDS else WaitVerdict.WAIT


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """The time, replaced in tests."""

    seconds: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class OperationWatch:
    """Where a wait looks, and whom it tells."""

    look: Callable[[], Seen | None]
    """None: the platform did not answer. Raises when something that must run has ended."""
    last_events: Callable[[], Sequence[str]]
    """What was done to the tenant last, in the platform's words, oldest first."""
    say: Callable[[str], object]
    clock: Clock


def await_tenant(slug: str, wanted: str, watch: OperationWatch, *, at_most: float | None = None) -> None:
    """Return once the tenant is in state `wanted`; raises PermanentError or TemporaryError with a short cause.

    `at_most`: seconds after which even a living operation is not waited for, for who asserts a time.
    """
    clock = watch.clock
    begun = stirred = told = clock.seconds()
    first: Seen | None = None
    before: Seen | None = None
    while True:
        seen, at = watch.look(), clock.seconds()
        first = first or seen
        if seen is not None and (seen != before or seen.alive(clock.now())):
            stirred = at
        before = seen or before
        verdict = WaitVerdict.WAIT if first is None and at - stirred < QUIET_SECONDS else WaitVerdict.NOTHING_ALIVE
        if first is not None:
            verdict = judge(wanted, first, seen, quiet=at - stirred)
        if verdict is WaitVerdict.REACHED:
            return
        if verdict is not WaitVerdict.WAIT or (at_most is not None and at - begun >= at_most):
            raise _cause(slug, wanted, before, verdict, watch, seconds=at - begun)
        if at - told >= TELL_SECONDS:
            told = at
            watch.say(_progress(slug, wanted, seen, watch, seconds=at - begun))
        clock.sleep(_POLL_SECONDS)


def _progress(slug: str, wanted: str, seen: Seen | None, watch: OperationWatch, *, seconds: float) -> str:
    found = "the platform does not answer" if seen is None else seen.sentence()
    events = [] if seen is None else watch.last_events()
    last = f'; last: "{events[-1]}"' if events else ""
    return f"waiting for {slug} to be {wanted} ({seconds:.0f} s): {found}{last}"


def _cause(
    slug: str, wanted: str, seen: Seen | None, verdict: WaitVerdict, watch: OperationWatch, *, seconds: float
) -> ClawstackError:
    found = "the platform has not answered" if seen is None else seen.sentence()
    events = [] if seen is None else watch.last_events()
    lines = "".join(f"\n  {event}" for event in events)
    told = f"\nThe last events:{lines}" if events else ""
    if verdict is WaitVerdict.ENDED_BADLY:
        return PermanentError(f"{slug} will not be {wanted}: {found}.{told}")
    why = (
        f"nothing was at work for {QUIET_SECONDS:.0f} s" if verdict is WaitVerdict.NOTHING_ALIVE else "it took too long"
    )
    return TemporaryError(f"Waited {seconds:.0f} s for {slug} to be {wanted}, {why}: {found}.{told}")
