"""Counters of the LLM proxy; what a request cost counts the ledger. No label names a tenant: metrics are read by many."""

from __future__ import annotations

from prometheus_client import Counter, Gauge


class ProxyMetrics:
    """What the proxy refuses, forwards and is told."""

    def __init__(self) -> None:
        self.refusals = Counter(
            "clawstack_llm_refusals", "Requests refused before they were forwarded.", ["code"], registry=None
        )
        self.vendor_status = Counter(
            "clawstack_llm_vendor_answers", "Answers of model vendors.", ["upstream", "status"], registry=None
        )
        self.in_flight = Gauge("clawstack_llm_in_flight", "Requests under way.", registry=None)
