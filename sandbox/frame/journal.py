"""The record of requests, for tests that count them or look at what was sent."""

import math
from collections import deque
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from sandbox.frame.values import Json
from sandbox.frame.waiting import Changes


@dataclass(kw_only=True, slots=True)
class NumberedEntry:
    """One request, counted from 1, and when it came."""

    number: int
    at: float

    def as_json(self) -> Json:
        """Return the entry as the control interface shows it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


EntryT = TypeVar("EntryT", bound=NumberedEntry)


class BoundedJournal(Generic[EntryT]):
    """The latest entries, oldest first, as long as there are not too many or too large ones."""

    def __init__(self, most: int, most_bytes: float = math.inf) -> None:
        self._entries: deque[tuple[int, EntryT]] = deque()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self.count = 0
        self.changes = Changes()

    def next_number(self) -> int:
        """Return the number of the entry that is made now."""
        self.count += 1
        return self.count

    def append(self, entry: EntryT, size: int = 0) -> EntryT:
        """Keep an entry of `size` bytes, and let go of the oldest ones for it."""
        self._entries.append((size, entry))
        self._bytes += size
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._entries.popleft()[0]
        self.changes.announce()
        return entry

    def after(self, number: int) -> list[EntryT]:
        """Return what came after this number."""
        return [entry for _, entry in self._entries if entry.number > number]

    def clear(self) -> None:
        """Forget all; numbers keep rising."""
        self._entries.clear()
        self._bytes = 0
