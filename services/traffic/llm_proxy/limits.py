"""Limits that one process keeps in memory. They are exact for a tenant as long as one proxy process serves it.

10 requests a second and token, in bursts of at most 10 (token bucket); 20 requests in flight per tenant, which bounds
how far a tenant can get over its monthly limit (see `exchange`).
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.traffic.llm_proxy.errors import too_fast, too_many_at_once

REQUESTS_PER_SECOND: Final = 10.0
BURST: Final = 10
REQUESTS_IN_FLIGHT: Final = 20
_SWEEP_ABOVE: Final = 10_000


class RateLimit:
    """A token bucket per key."""

    def __init__(
        self, *, rate: float = REQUESTS_PER_SECOND, burst: int = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate` per second; `burst`: what a rested key may send at once."""
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one request; raises RefusedError (429 with Retry-After) when the bucket is empty."""
        now = self._clock()
        level, since = self._buckets.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        if level < 1.0:
            raise too_fast((1.0 - level) / self._rate)
        self._buckets[key] = (level - 1.0, now)
        if len(self._buckets) > _SWEEP_ABOVE:
            self._forget_rested(now)

    def _forget_rested(self, now: float) -> None:
        full = self._burst / self._rate
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket[1] < full}


class InFlight:
    """Requests under way, per tenant."""

    def __init__(self, *, limit: int = REQUESTS_IN_FLIGHT) -> None:
        """`limit`: per tenant."""
        self._limit = limit
        self._counts: Counter[uuid.UUID] = Counter()

    @contextmanager
    def counted(self, tenant_id: uuid.UUID) -> Iterator[None]:
        """Count one request while the block runs; raises RefusedError when there are too many."""
        if self._counts[tenant_id] >= self._limit:
            raise too_many_at_once(self._limit)
        self._counts[tenant_id] += 1
        try:
            yield
        finally:
            self._counts[tenant_id] -= 1
            if not self._counts[tenant_id]:
                del self._counts[tenant_id]

    def total(self) -> int:
        """Requests under way of all tenants."""
        return self._counts.total()


class OutputSizes:
    """How long answers have been lately, per model: what is worth setting aside for the next one.

    Setting aside all that a model may write would let a few requests lock a plan's whole month; setting aside nothing
    would let all of them pass. Kept is a high-water mark that sinks by a fiftieth with every answer.
    """

    _FIRST: Final = 4096
    _LEAST: Final = 512
    _SINK: Final = 0.98

    def __init__(self) -> None:
        self._marks: dict[str, float] = {}

    def expected(self, model: str, *, at_most: int) -> int:
        """Tokens to set aside for one answer of `model`, never more than `at_most`."""
        return min(at_most, int(self._marks.get(model, self._FIRST)))

    def observe(self, model: str, output_tokens: int) -> None:
        """Note the size of an answer."""
        mark = self._marks.get(model, self._FIRST) * self._SINK
        self._marks[model] = max(mark, float(output_tokens), self._LEAST)
