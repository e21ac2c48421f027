"""Who presents a proxy token, at the price of one query a second and token."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clawstack.errors import InvalidInputError
from clawstack.plans import Catalogue
from clawstack.tokens import Token, TokenKind, parse
from services.kit.database.hot_path import Connections
from services.tables.states import may_be_used
from services.traffic.llm_proxy.errors import not_authenticated, not_running
from services.traffic.llm_proxy.repository import caller_of
from services.traffic.llm_proxy.schemas import Caller

#: A revoked token, a suspended tenant or another plan counts after this many seconds at the latest.
CACHE_SECONDS: Final = 1.0
_CACHE_SIZE: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    caller: Caller
    secret_hash: str
    running: bool
    until: float


class ProxyAuthenticator:
    """Judges proxy tokens. Only tokens that exist are remembered, so that guesses cannot fill the memory."""

    def __init__(
        self, *, connections: Connections, catalogue: Catalogue, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connections = connections
        self._catalogue = catalogue
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def caller(self, presented: str | None) -> Caller:
        """The cell behind a token; raises RefusedError (401, 403), TemporaryError when the database is away."""
        token = parse(presented, kind=TokenKind.PROXY) if presented else None
        if token is None:
            raise not_authenticated()
        known = self._known.get(token.key)
        if known is None or known.until <= self._clock():
            known = await self._look_up(token)
        if not token.matches(known.secret_hash if known is not None else None) or known is None:
            raise not_authenticated()
        if not known.running:
            raise not_running()
        return known.caller

    async def _look_up(self, token: Token) -> _Known | None:
        asked_at = self._clock()
        self._known.pop(token.key, None)
        row = await caller_of(self._connections, token.key)
        if row is None:
            return None
        tenant_id, secret_hash, plan, desired_state = row
        try:
            caller = Caller(token_key=token.key, tenant_id=tenant_id, plan=self._catalogue.plan(plan))
        except InvalidInputError:  # a plan that left the catalogue: nothing says what it allows
            raise not_running() from None
        known = _Known(
            caller=caller,
            secret_hash=secret_hash,
            running=may_be_used(desired_state),
            until=asked_at + CACHE_SECONDS,
        )
        self._known[token.key] = known
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return known
