"""Counters of the ledger. No label names a tenant: their number has no bound, and metrics are read by many."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

from services.traffic.ledger.schemas import Settlement

_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0)


class LedgerMetrics:
    """How requests end and what they cost."""

    def __init__(self) -> None:
        self.requests = Counter(
            "clawstack_llm_requests", "Requests by model and end.", ["model", "outcome"], registry=None
        )
        self.tokens = Counter("clawstack_llm_tokens", "Tokens charged.", ["model", "direction"], registry=None)
        self.cost = Counter(
            "clawstack_llm_cost_micro_usd", "Cost charged, in millionths of a US dollar.", ["model"], registry=None
        )
        self.seconds = Histogram(
            "clawstack_llm_request_seconds",
            "Whole duration of a forwarded request.",
            buckets=_SECONDS,
            registry=None,
        )
        self.unsettled = Counter(
            "clawstack_llm_settle_retries", "Settlements that the database did not take at once.", registry=None
        )

    def settled(self, settlement: Settlement) -> None:
        """Count the end of one request."""
        model = settlement.reservation.model
        self.requests.labels(model, settlement.outcome.value).inc()
        self.tokens.labels(model, "input").inc(settlement.tokens.input)
        self.tokens.labels(model, "output").inc(settlement.tokens.output)
        self.cost.labels(model).inc(settlement.cost)
        if settlement.duration_ms is not None:
            self.seconds.observe(settlement.duration_ms / 1000)
