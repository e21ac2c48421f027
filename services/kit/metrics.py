"""Showing a part's counters while the part runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase


@contextmanager
def registered(registry: CollectorRegistry, *parts: object) -> Iterator[None]:
    """Show every collector that the `parts` hold as attributes, as long as the context lasts.

    They count from their making. Taking them off again lets a part be started a second time in one process.
    """
    collectors = [value for part in parts for value in vars(part).values() if isinstance(value, MetricWrapperBase)]
    for collector in collectors:
        registry.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            registry.unregister(collector)
