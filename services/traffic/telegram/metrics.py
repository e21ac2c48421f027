"""What the router counts. No label names a tenant: the number of series stays small, and the counts say nothing of anybody."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_LAG_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class RouterMetrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self.updates = Counter(
            "clawstack_telegram_updates",
            "Updates of the shared bot by what became of them.",
            ["outcome"],
            registry=None,
        )
        self.delivered = Counter("clawstack_telegram_delivered", "Updates handed to cells.", ["way"], registry=None)
        self.calls = Counter("clawstack_telegram_calls", "Method calls of cells.", ["method", "result"], registry=None)
        self.upstream_errors = Counter(
            "clawstack_telegram_upstream_errors", "Calls of the real Bot API that failed.", ["reason"], registry=None
        )
        self.replies = Counter("clawstack_telegram_replies", "The router's own sentences.", ["result"], registry=None)
        self.intake_errors = Counter(
            "clawstack_telegram_intake_errors", "Failed attempts to take in updates.", ["reason"], registry=None
        )
        self.waiting_polls = Gauge(
            "clawstack_telegram_waiting_polls", "Long polls of cells in progress.", registry=None
        )
        self.call_seconds = Histogram(
            "clawstack_telegram_call_seconds",
            "Time of a forwarded method call, the real Bot API included.",
            buckets=_LAG_BUCKETS,
            registry=None,
        )
