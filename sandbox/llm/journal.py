"""What arrived: every request with headers, body and what became of it."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.waiting import Changes


@dataclass(kw_only=True, slots=True)
class Received:
    """One request. `outcome` is open, answered, refused, fault or disconnected (the client hung up first)."""

    number: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    model: str = ""
    stream: bool = False
    status: int = 0
    outcome: str = "open"
    fault: str = ""
    usage: dict[str, int] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        """Return the request as the control API shows it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Journal:
    """The latest requests, oldest first, as long as there are not too many or too large ones."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._requests: deque[tuple[int, Received]] = deque()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._next = 1
        self.changes = Changes()

    def open(self, *, at: float, method: str, path: str, headers: dict[str, str], body: Any, size: int) -> Received:
        """Write down a request of `size` bytes that has just arrived."""
        received = Received(number=self._next, at=at, method=method, path=path, headers=headers, body=body)
        self._next += 1
        self._requests.append((size, received))
        self._bytes += size
        while len(self._requests) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._requests.popleft()[0]
        self.changes.announce()
        return received

    def close(self, received: Received, outcome: str) -> None:
        """Write down what became of it; the first word counts."""
        if received.outcome == "open":
            received.outcome = outcome
            self.changes.announce()

    def since(self, number: int, *, done: bool = False) -> list[Received]:
        """Return requests after this number, those that have ended only if `done`."""
        return [r for _, r in self._requests if r.number > number and (not done or r.outcome != "open")]

    def clear(self) -> None:
        """Forget all; numbers keep rising."""
        self._requests.clear()
        self._bytes = 0
