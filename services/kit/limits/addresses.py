"""How many sign-ups one address may start."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import procrastinate

from clawstack.errors import LimitExceededError
from services.kit.database.connection import Database
from services.kit.jobs.periodic import periodic
from services.kit.limits import repository

_WINDOW: Final = timedelta(minutes=1)
_REMEMBERED: Final = 20_000
_IPV6_NETWORK: Final = 64  # what one household or server is given
_HOURLY: Final = "17 * * * *"


class AddressLimiter:
    """So many a minute and address, in all processes together; what was taken comes back evenly (a leaky bucket).

    Whom a process has refused it refuses again by itself until the time it said, so that a flood does not reach the
    database (bounded: the longest quiet addresses are forgotten).
    """

    def __init__(
        self, database: Database, *, name: str, per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`name`: of what is limited; limits of different names know nothing of each other."""
        self._database = database
        self._name = name
        self._per_minute = per_minute
        self._each = _WINDOW / per_minute
        self._clock = clock
        self._refused: OrderedDict[str, float] = OrderedDict()

    async def admit(self, address: str | None) -> None:
        """Count one attempt; raises LimitExceededError with the seconds until the next is allowed, TemporaryError."""
        subject = f"{self._name} {network_of(address)}"
        until = self._refused.get(subject, 0.0)
        if until > self._clock():
            raise self._refusal(until - self._clock())
        left = await self._take(subject)
        if left is not None:
            self._remember(subject, left)
            raise self._refusal(left)

    async def _take(self, subject: str) -> float | None:
        async with self._database.transaction() as session:
            if await repository.take(session, subject, each=self._each, window=_WINDOW):
                return None
            return await repository.seconds_left(session, subject, each=self._each, window=_WINDOW)

    def _remember(self, subject: str, seconds: float) -> None:
        self._refused[subject] = self._clock() + seconds
        self._refused.move_to_end(subject)
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)

    def _refusal(self, seconds: float) -> LimitExceededError:
        return LimitExceededError(
            f"Too many sign-ups came from your address: at most {self._per_minute} a minute are taken.",
            code="too_many_signups",
            retry_after=max(1.0, seconds),
            remedy="Please wait a minute and try again.",
        )


def register(database: Database) -> Callable[[procrastinate.App], None]:
    """Declares `limits.forget_rested`, once an hour."""
    return periodic("limits.forget_rested", cron=_HOURLY, work=partial(_forget_rested, database))


async def _forget_rested(database: Database) -> None:
    async with database.transaction() as session:
        await repository.forget_rested(session)


def network_of(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 subscriber can choose addresses from."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 6:  # noqa: PLR2004 - the protocol's number
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)
