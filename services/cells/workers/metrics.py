"""What the provisioner counts. No label names a tenant: the number of series stays small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 600)


@dataclass(slots=True)
class Timed:
    """How a timed operation ended; `lost` until somebody says otherwise."""

    status: str = "lost"


class OperationMetrics:
    """Counters of one process; `registry` None keeps them to themselves."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._running = Gauge(
            "clawstack_operations_running", "Operations that run in this process.", ["kind"], registry=registry
        )
        self._ended = Counter(
            "clawstack_operations", "Operations by how they ended.", ["kind", "status"], registry=registry
        )
        self._seconds = Histogram(
            "clawstack_operation_seconds",
            "Time of an operation from its start to its recorded end.",
            ["kind", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )

    @contextmanager
    def timed(self, kind: str) -> Iterator[Timed]:
        """Count and time what happens inside; set `status` of what it gives."""
        outcome, started = Timed(), time.monotonic()
        self._running.labels(kind).inc()
        try:
            yield outcome
        finally:
            self._running.labels(kind).dec()
            self._ended.labels(kind, outcome.status).inc()
            self._seconds.labels(kind, outcome.status).observe(time.monotonic() - started)
