"""Counters of the LLM proxy. No label names a tenant: their number has no bound, and metrics are read by many."""

from __future__ import annotations

from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.traffic.ledger.schemas import Settlement

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0)


class Metrics:
    """What the proxy counts, on the registry that it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.requests = Counter(
            "clawstack_llm_requests", "Requests by model and end.", ["model", "outcome"], registry=registry
        )
        self.refusals = Counter(
            "clawstack_llm_refusals", "Requests refused before they were forwarded.", ["code"], registry=registry
        )
        self.tokens = Counter("clawstack_llm_tokens", "Tokens charged.", ["model", "direction"], registry=registry)
        self.cost = Counter(
            "clawstack_llm_cost_micro_usd", "Cost charged, in millionths of a US dollar.", ["model"], registry=registry
        )
        self.vendor_status = Counter(
            "clawstack_llm_vendor_answers", "Answers of model vendors.", ["upstream", "status"], registry=registry
        )
        self.seconds = Histogram(
            "clawstack_llm_request_seconds",
            "Whole duration of a forwarded request.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("clawstack_llm_in_flight", "Requests under way.", registry=registry)
        self.unsettled = Counter(
            "clawstack_llm_settle_retries", "Settlements that the database did not take at once.", registry=registry
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take the counters off the registry, so that the proxy can be started again in this process."""
        for collector in vars(self).values():
            if collector is not self._registry:
                self._registry.unregister(collector)
