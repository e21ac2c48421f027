"""Channel tokens: what a cell uses in place of a bot token, from registration to revocation."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ConflictError, InvalidInputError
from clawstack.tokens import Token, TokenKind, parse
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository import bots, signals
from services.traffic.telegram.wakeups import Wakeups

_MOST_CACHED: Final = 10_000


async def register_channel_token(session: AsyncSession, tenant_id: uuid.UUID, token: Token) -> None:
    """Let the tenant's cell in with `token`; only its hash is stored. Registering it again changes nothing.

    Raises InvalidInputError for a token of another kind and ConflictError when the key is taken or revoked.
    """
    if token.kind is not TokenKind.CHANNEL:
        raise InvalidInputError(f"A {token.kind.name.lower()} token cannot be used as a channel token.")
    await bots.add_token(session, token.key, tenant_id, token.secret_hash())
    stored = await bots.token(session, token.key)
    if stored is None or stored.tenant_id != tenant_id or not token.matches(stored.secret_hash) or stored.revoked_at:
        raise ConflictError(
            f"The channel token {token.key} is revoked or belongs to something else.", remedy="Issue a new one."
        )


async def revoke_channel_tokens(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """Shut the tenant's cell out, in all processes, within two seconds of the commit. Safe to repeat."""
    for key in await bots.revoke_tokens(session, tenant_id, now=utcnow()):
        await signals.wake(session, Topic.TOKEN, key)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    tenant_id: uuid.UUID
    secret_hash: str
    good_until: float


class ChannelAuthenticator:
    """Tells which tenant a presented channel token belongs to. Remembers it for about a second."""

    def __init__(
        self, *, database: Database, wakeups: Wakeups, ttl: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`ttl`: how long a token is taken for good without asking the database; `clock` counts seconds."""
        self._database = database
        self._wakeups = wakeups
        self._ttl = ttl.total_seconds()
        self._clock = clock
        self._cache: OrderedDict[str, _Known] = OrderedDict()

    def listening(self) -> AbstractContextManager[None]:
        """Forget revoked tokens at once while the context lasts."""
        return self._wakeups.on_all(Topic.TOKEN, self._forget)

    async def tenant_of(self, presented: str) -> uuid.UUID | None:
        """The tenant whose cell presents this token; None when it is not, or no longer, good."""
        token = parse(presented, kind=TokenKind.CHANNEL)
        if token is None:
            return None
        known = self._cache.get(token.key)
        if known is None or known.good_until <= self._clock():
            known = await self._ask(token.key)
        if known is None or not token.matches(known.secret_hash):
            return None
        return known.tenant_id

    async def _ask(self, key: str) -> _Known | None:
        asked_at = self._clock()
        async with self._database.transaction() as session:
            stored = await bots.token(session, key)
        if stored is None or stored.revoked_at is not None:
            self._cache.pop(key, None)
            return None
        good_until = asked_at + self._ttl
        known = _Known(tenant_id=stored.tenant_id, secret_hash=stored.secret_hash, good_until=good_until)
        self._cache[key] = known
        self._cache.move_to_end(key)
        if len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        return known

    def _forget(self, key: str) -> None:
        if key:
            self._cache.pop(key, None)
        else:
            self._cache.clear()
