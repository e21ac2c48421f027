"""What bots called: every call with its token, parameters and answer code, so that tests can see who called as whom."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.waiting import Changes

KEPT = 2000


@dataclass(kw_only=True, slots=True)
class ReceivedCall:
    """One call; `code` is 0 while it runs, then the HTTP status; 502 also stands for a connection that was
    broken on purpose.
    """

    number: int
    at: float
    token: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    code: int = 0

    def wire(self) -> dict[str, Any]:
        """Return the call as the control API shows it."""
        return {name: getattr(self, name) for name in self.__slots__}


class CallJournal:
    """The latest calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[ReceivedCall] = deque(maxlen=KEPT)
        self._next = 1
        self.changes = Changes()

    def open(self, *, at: float, token: str, method: str) -> ReceivedCall:
        """Write down a call that has just arrived."""
        call = ReceivedCall(number=self._next, at=at, token=token, method=method)
        self._next += 1
        self._calls.append(call)
        self.changes.announce()
        return call

    def since(self, number: int, *, method: str = "") -> list[ReceivedCall]:
        """Return calls after this number, of one method only if it is named."""
        return [c for c in self._calls if c.number > number and method.lower() in {"", c.method.lower()}]
