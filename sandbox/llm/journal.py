"""The record of what was asked: every request with headers, body and what became of it."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.frame.journal import BoundedJournal, NumberedEntry


@dataclass(kw_only=True, slots=True)
class Entry(NumberedEntry):
    """One request. `outcome` is open, answered, refused, fault or disconnected (the client hung up first)."""

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


class Journal(BoundedJournal[Entry]):
    """The latest requests, oldest first."""

    def open(self, *, at: float, method: str, path: str, headers: dict[str, str], body: Any, size: int) -> Entry:
        """Write down a request of `size` bytes that has just arrived."""
        number = self.next_number()
        return self.append(Entry(number=number, at=at, method=method, path=path, headers=headers, body=body), size)

    def close(self, entry: Entry, outcome: str) -> None:
        """Write down what became of it; the first word counts."""
        if entry.outcome == "open":
            entry.outcome = outcome
            self.changes.announce()

    def since(self, number: int, *, done: bool = False) -> list[Entry]:
        """Return requests after this number, those that have ended only if `done`."""
        return [entry for entry in self.after(number) if not done or entry.outcome != "open"]
