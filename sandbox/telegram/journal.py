"""What bots called: every call with its token, parameters and answer code, so that tests can see who called as whom."""

from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.frame.journal import BoundedJournal, NumberedEntry

KEPT: Final = 2000


@dataclass(kw_only=True, slots=True)
class Entry(NumberedEntry):
    """One call; `code` is 0 while it runs, then the HTTP status; 502 also stands for a connection that was
    broken on purpose.
    """

    token: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    code: int = 0


class Journal(BoundedJournal[Entry]):
    """The latest calls, oldest first."""

    def __init__(self) -> None:
        super().__init__(KEPT)

    def open(self, *, at: float, token: str, method: str) -> Entry:
        """Write down a call that has just arrived."""
        return self.append(Entry(number=self.next_number(), at=at, token=token, method=method))

    def since(self, number: int, *, method: str = "") -> list[Entry]:
        """Return calls after this number, of one method only if it is named."""
        return [entry for entry in self.after(number) if method.lower() in {"", entry.method.lower()}]
