"""The updates of one bot: rising ids, at most 24 hours old, confirmed by offset, one poller at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.frame.waiting import Changes
from sandbox.telegram.model.errors import BotApiError, conflict

# Not sent unless asked for. Source: getUpdates, parameter allowed_updates.
ON_REQUEST_ONLY = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
EPOCH_2024 = 1_704_067_200
LARGEST_BATCH = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """One update as stored: `chat` orders deliveries, `at` is its time in seconds."""

    id: int
    kind: str
    chat: int
    at: float
    body: dict[str, Any]

    def wire(self) -> dict[str, Any]:
        """Return the update as a bot receives it."""
        return {"update_id": self.id, self.kind: self.body}


class UpdateQueue:
    """What waits for a bot. Ids begin at the age of the year 2024 in seconds, so they rise across restarts too."""

    def __init__(self, *, now: Callable[[], float], lifetime: float, most: int) -> None:
        self._now = now
        self._lifetime = lifetime
        self._most = most
        self._updates: deque[Update] = deque()
        self._next_id = max(1, int(now()) - EPOCH_2024)
        self._poll: asyncio.Future[BotApiError] | None = None
        self.allowed: frozenset[str] | None = None
        self.changes = Changes()

    def wants(self, kind: str) -> bool:
        """Tell whether the bot asked for updates of this kind."""
        return kind in self.allowed if self.allowed else kind not in ON_REQUEST_ONLY

    def add(self, kind: str, body: dict[str, Any], *, chat: int) -> Update | None:
        """Store an update; None when the bot does not want this kind. The oldest goes when the queue is full."""
        if not self.wants(kind):
            return None
        update = Update(id=self._next_id, kind=kind, chat=chat, at=self._now(), body=body)
        self._next_id += 1
        self._updates.append(update)
        if len(self._updates) > self._most:
            self._updates.popleft()
        self.changes.announce()
        return update

    def restore(self, updates: list[Update]) -> None:
        """Take over what waited when an earlier process ended; new ids stay above."""
        self._updates.extend(updates)
        self._next_id = max(self._next_id, *(update.id + 1 for update in updates), 1)

    def pending(self) -> list[Update]:
        """Return what is neither confirmed nor too old, oldest first."""
        while self._updates and self._updates[0].at < self._now() - self._lifetime:
            self._updates.popleft()
        return list(self._updates)

    def confirm_below(self, offset: int) -> None:
        """Forget updates whose id is lower than `offset`; a negative offset keeps only that many from the end."""
        if offset < 0:
            offset = self._updates[offset].id if -offset <= len(self._updates) else 0
        while self._updates and self._updates[0].id < offset:
            self._updates.popleft()

    def remove(self, update_id: int) -> None:
        """Forget one update that a webhook took."""
        self._updates = deque(update for update in self._updates if update.id != update_id)

    def clear(self) -> None:
        """Forget all updates (drop_pending_updates)."""
        self._updates.clear()

    @property
    def polling(self) -> bool:
        """True while a getUpdates call waits."""
        return self._poll is not None and not self._poll.done()

    def end_poll(self, reason: str) -> None:
        """End a waiting getUpdates with 409 and this reason."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(conflict(reason))

    async def poll(self, *, offset: int, limit: int, seconds: float) -> list[dict[str, Any]]:
        """Answer getUpdates. Raises a 409 when another getUpdates call or a webhook ends this one."""
        self.end_poll("terminated by other getUpdates request; make sure that only one bot instance is running")
        if offset:
            self.confirm_below(offset)
        size = limit if 1 <= limit <= LARGEST_BATCH else LARGEST_BATCH
        ended: asyncio.Future[BotApiError] = asyncio.get_running_loop().create_future()
        self._poll = ended
        waiting = asyncio.ensure_future(self.changes.until(lambda: self.pending()[:size] or None, seconds))
        try:
            both: set[asyncio.Future[Any]] = {waiting, ended}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise ended.result()
            return [update.wire() for update in waiting.result() or []]
        finally:
            waiting.cancel()
            if self._poll is ended:
                self._poll = None
