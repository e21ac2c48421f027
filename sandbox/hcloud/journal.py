"""Which requests came, for tests that count them or look at what was sent. User data and keys are shown as they came."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

Json = dict[str, Any]
KEPT: Final = 20_000


@dataclass(kw_only=True, slots=True)
class Entry:
    """One request; `status` 0 means that its connection was cut or that it is still open."""

    number: int
    at: float
    method: str
    path: str
    query: str
    project: str = ""
    user_agent: str = ""
    body: Any = None
    status: int = 0
    code: str = ""

    def as_json(self) -> Json:
        """For listing."""
        return asdict(self)


class Journal:
    """The last requests, oldest first, counted from 1."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.count = 0

    def open(self, *, at: float, method: str, path: str, query: str, user_agent: str) -> Entry:
        """Note a request that has arrived."""
        self.count += 1
        entry = Entry(number=self.count, at=at, method=method, path=path, query=query, user_agent=user_agent)
        self.entries.append(entry)
        return entry

    def since(self, number: int, *, method: str = "", path: str = "") -> list[Entry]:
        """Return entries after `number` of this method (any when empty) whose path contains `path`."""
        return [e for e in self.entries if e.number > number and method in {"", e.method} and path in e.path]

    def clear(self) -> None:
        """Forget the entries; numbers go on."""
        self.entries.clear()
