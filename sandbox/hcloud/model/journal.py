"""Which requests came, for tests that count them or look at what was sent. User data and keys are shown as they came."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.frame.journal import BoundedJournal, NumberedEntry

KEPT: Final = 20_000


@dataclass(kw_only=True, slots=True)
class Entry(NumberedEntry):
    """One request; `status` 0 means that its connection was cut or that it is still open."""

    method: str
    path: str
    query: str
    project: str = ""
    user_agent: str = ""
    body: Any = None
    status: int = 0
    code: str = ""


class Journal(BoundedJournal[Entry]):
    """The last requests, oldest first."""

    def __init__(self) -> None:
        super().__init__(KEPT)

    def open(self, *, at: float, method: str, path: str, query: str, user_agent: str) -> Entry:
        """Note a request that has arrived."""
        number = self.next_number()
        return self.append(Entry(number=number, at=at, method=method, path=path, query=query, user_agent=user_agent))

    def since(self, number: int, *, method: str = "", path: str = "") -> list[Entry]:
        """Return entries after `number` of this method (any when empty) whose path contains `path`."""
        return [entry for entry in self.after(number) if method in {"", entry.method} and path in entry.path]
