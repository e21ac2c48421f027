"""getUpdates: a cell's long poll, woken by the database.

Confirmation is as in the real Bot API: an offset confirms everything before it. One difference guards against losing
messages: what was never handed out is not confirmed, whatever the offset says. A cell restored from a backup, or one
that remembers the numbers of an earlier bot, gets its messages all the same.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from clawstack.background import end
from services.kit.database.connection import Database
from services.tables.telegram import VirtualBot
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.model.routing import UpdateOutcome
from services.traffic.telegram.model.schemas import Timings
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.model.updates import CHAT_AT, NOT_BY_DEFAULT, POLL_AT
from services.traffic.telegram.repository import bots, signals, updates
from services.traffic.telegram.repository.updates import Waiting
from services.traffic.telegram.virtual.local import allowed_updates
from services.traffic.telegram.virtual.parameters import Call
from services.traffic.telegram.wakeups import Wakeups

_MOST_UPDATES: Final = 100
_MOST_ANSWER_BYTES: Final = 1024 * 1024  # OpenClaw reads at most 4 MiB of one answer
_ALL_KINDS: Final = frozenset(CHAT_AT) | frozenset(POLL_AT)


@dataclass(frozen=True, kw_only=True, slots=True)
class PollWish:
    """Parameters of getUpdates."""

    offset: int | None
    limit: int
    seconds: float
    allowed: list[str] | None


def read_wish(call: Call, *, longest: float) -> PollWish:
    """The parameters of getUpdates, within their bounds. Raises BotApiError."""
    limit = call.integer("limit")
    seconds = call.integer("timeout") or 0
    return PollWish(
        offset=call.integer("offset"),
        limit=_MOST_UPDATES if limit is None else min(max(limit, 1), _MOST_UPDATES),
        seconds=min(max(float(seconds), 0.0), longest),
        allowed=allowed_updates(call),
    )


class _Poll:
    """One poll in progress: what wakes it, and what ends it."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.number: int | None = None
        self.is_gone = False
        self._latest = 0

    @property
    def is_displaced(self) -> bool:
        """A later poll of the same cell began. (Calls of earlier ones may come late; they mean nothing.)"""
        return self.number is not None and self._latest > self.number

    def wake(self, _: str = "") -> None:
        """Look again."""
        self.called.set()

    def hear_of(self, number: str) -> None:
        """A poll of the same cell began: this one, an earlier or a later one."""
        if number.isdecimal():
            self._latest = max(self._latest, int(number))
            if self.is_displaced:
                self.called.set()

    def leave(self, _: object = None) -> None:
        """The cell hung up."""
        self.is_gone = True
        self.called.set()


class Polls:
    """All long polls of this process."""

    def __init__(self, *, database: Database, wakeups: Wakeups, metrics: RouterMetrics, timings: Timings) -> None:
        self._database = database
        self._wakeups = wakeups
        self._metrics = metrics
        self._timings = timings

    async def get_updates(
        self, tenant_id: uuid.UUID, call: Call, request: Request, *, still_welcome: Callable[[], Any]
    ) -> list[dict[str, Any]]:
        """The tenant's waiting updates; waits for some. Raises BotApiError 409 when another poll takes over.

        `still_welcome` is awaited before updates are handed out after a wait: the token may be revoked meanwhile.
        """
        wish = read_wish(call, longest=self._timings.longest_poll.total_seconds())
        async with self._polling(tenant_id, request) as poll:
            deadline = asyncio.get_running_loop().time() + wish.seconds
            found = await self._begin(tenant_id, wish, poll)
            while not found:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or poll.is_gone:
                    return []
                if not poll.is_displaced:
                    await _wait(poll.called, min(left, self._timings.recheck.total_seconds()))
                if poll.is_displaced:
                    raise _displaced()
                poll.called.clear()
                await still_welcome()
                found = await self._look(tenant_id, wish)
            self._metrics.delivered.labels("poll").inc(len(found))
            return [item.for_cell() for item in found]

    @asynccontextmanager
    async def _polling(self, tenant_id: uuid.UUID, request: Request) -> AsyncIterator[_Poll]:
        poll, subject = _Poll(), str(tenant_id)
        hang_up = asyncio.create_task(_until_disconnect(request))
        hang_up.add_done_callback(poll.leave)
        self._metrics.waiting_polls.inc()
        try:
            with (
                self._wakeups.on(Topic.UPDATE, subject, poll.wake),
                self._wakeups.on(Topic.POLL, subject, poll.hear_of),
            ):
                yield poll
        finally:
            self._metrics.waiting_polls.dec()
            await end(hang_up)

    async def _begin(self, tenant_id: uuid.UUID, wish: PollWish, poll: _Poll) -> list[Waiting]:
        async with self._database.transaction() as session:
            values = {} if wish.allowed is None else {"allowed_updates": wish.allowed}
            bot = await bots.begin_poll(session, tenant_id, **values)
            _refuse_beside_webhook(bot)
            poll.number = bot.polls
            await self._confirm(session, bot, wish.offset)
            await signals.wake(session, Topic.POLL, str(tenant_id), str(bot.polls))
            return await _take(session, bot, wish)

    async def _look(self, tenant_id: uuid.UUID, wish: PollWish) -> list[Waiting]:
        async with self._database.transaction() as session:
            bot = await bots.virtual_bot(session, tenant_id)
            if bot is None:
                return []
            _refuse_beside_webhook(bot)
            return await _take(session, bot, wish)

    async def _confirm(self, session: AsyncSession, bot: VirtualBot, offset: int | None) -> None:
        if offset is None:
            return
        if offset < 0:  # "all previous updates will be forgotten"
            first = await updates.waiting_from_end(session, bot.tenant_id, -offset)
            if first is not None:
                await updates.finish_up_to(session, bot.tenant_id, first - 1, UpdateOutcome.DROPPED)
            return
        confirmed = min(offset - 1, bot.served_sequence)
        await updates.finish_up_to(session, bot.tenant_id, confirmed, UpdateOutcome.DELIVERED)


async def _take(session: AsyncSession, bot: VirtualBot, wish: PollWish) -> list[Waiting]:
    await updates.finish_other_kinds(session, bot.tenant_id, wanted_kinds(bot.allowed_updates))
    found = within_size(await updates.waiting(session, bot.tenant_id, limit=wish.limit))
    if found and found[-1].sequence > bot.served_sequence:
        await bots.note_served(session, bot.tenant_id, found[-1].sequence)
    return found


def wanted_kinds(allowed: Collection[str] | None) -> frozenset[str]:
    """The kinds that a bot with these allowed_updates gets; none said means the Bot API's default."""
    return frozenset(allowed) if allowed else _ALL_KINDS - NOT_BY_DEFAULT


def within_size(found: list[Waiting]) -> list[Waiting]:
    """As many as fit into one answer, at least one."""
    size = 0
    fitting: list[Waiting] = []
    for item in found:
        size += len(str(item.body))
        if fitting and size > _MOST_ANSWER_BYTES:
            break
        fitting.append(item)
    return fitting


def _refuse_beside_webhook(bot: VirtualBot) -> None:
    if bot.webhook_url is not None:
        reason = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        raise BotApiError(409, f"Conflict: {reason}")


def _displaced() -> BotApiError:
    reason = "terminated by other getUpdates request; make sure that only one bot instance is running"
    return BotApiError(409, f"Conflict: {reason}")


async def _until_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
