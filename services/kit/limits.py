"""How many sign-ups one address may start."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from clawstack.errors import LimitExceededError

_WINDOW: Final = 60.0
_ADDRESSES: Final = 20_000
_IPV6_NETWORK: Final = 64  # what one household or server is given


class AddressLimiter:
    """A sliding minute per address, in this process's memory (bounded: the longest quiet addresses are forgotten)."""

    def __init__(self, *, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, address: str | None) -> None:
        """Count one attempt; raises LimitExceededError with the seconds until the next is allowed."""
        now = self._clock()
        times = self._times(network_of(address))
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if len(times) >= self._per_minute:
            raise LimitExceededError(
                f"More than {self._per_minute} sign-ups within a minute came from your address.",
                code="too_many_signups",
                retry_after=times[0] + _WINDOW - now,
                remedy="Please wait a minute and try again.",
            )
        times.append(now)

    def _times(self, network: str) -> deque[float]:
        times = self._seen.setdefault(network, deque(maxlen=self._per_minute))
        self._seen.move_to_end(network)
        while len(self._seen) > _ADDRESSES:
            self._seen.popitem(last=False)
        return times


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
