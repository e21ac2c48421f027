"""One operation's time budget and the order to stop, shared between the worker's loop and the engine's thread."""

from __future__ import annotations

import threading
import time
from enum import StrEnum

from clawstack.errors import ClawstackError


class StopReason(StrEnum):
    """Why an operation is stopped."""

    CANCELLED = "cancelled"
    """Somebody asked for it."""
    BUDGET = "budget"
    """Its time is used up."""
    LEASE_LOST = "lease_lost"
    """Another worker may be at it by now."""
    SHUTDOWN = "shutdown"
    """This worker ends."""


class OperationStoppedError(ClawstackError):
    """The operation was stopped before it was done; all of its processes are dead."""

    code = "operation_stopped"

    def __init__(self, reason: StopReason) -> None:
        super().__init__(f"The operation was stopped ({reason.value}).", code=f"operation_{reason.value}")
        self.reason = reason


class RunControl:
    """Safe to use from several threads. The first reason to stop stays; a later order can only take the grace away."""

    def __init__(self, *, budget: float, grace: float) -> None:
        """`budget`: seconds for the whole operation; `grace`: seconds to end by itself once told to stop."""
        self._budget = budget
        self._deadline = time.monotonic() + budget
        self._grace = grace
        self._reason: StopReason | None = None
        self._kill_at: float | None = None
        self._lock = threading.Lock()
        self._listeners: set[threading.Event] = set()

    @property
    def budget(self) -> float:
        """Seconds given to the whole operation."""
        return self._budget

    @property
    def longest(self) -> float:
        """Seconds after which nothing of an operation with this budget can be running any more."""
        return self._budget + self._grace

    @property
    def reason(self) -> StopReason | None:
        """Why it is to stop, None while it may go on. An exhausted budget counts by itself."""
        with self._lock:
            if self._reason is None and time.monotonic() >= self._deadline:
                self._order(StopReason.BUDGET, self._grace)
            return self._reason

    def stop(self, reason: StopReason, *, at_once: bool = False) -> None:
        """Order the operation to stop; `at_once` leaves no grace."""
        with self._lock:
            self._order(reason, 0.0 if at_once else self._grace)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.set()

    def check(self) -> None:
        """Raises OperationStoppedError when the operation is to stop."""
        if (reason := self.reason) is not None:
            raise OperationStoppedError(reason)

    def grace_is_over(self) -> bool:
        """True when what still runs must be killed."""
        with self._lock:
            return self._kill_at is not None and time.monotonic() >= self._kill_at

    def seconds_to_next_step(self) -> float:
        """How long one may wait before looking at this object again."""
        with self._lock:
            moment = self._deadline if self._kill_at is None else self._kill_at
            return max(0.0, moment - time.monotonic())

    def listen(self, event: threading.Event) -> None:
        """Set `event` at every order from now on."""
        with self._lock:
            self._listeners.add(event)

    def ignore(self, event: threading.Event) -> None:
        """Undo `listen`."""
        with self._lock:
            self._listeners.discard(event)

    def _order(self, reason: StopReason, grace: float) -> None:
        if self._reason is None:
            self._reason = reason
        kill_at = time.monotonic() + grace
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
