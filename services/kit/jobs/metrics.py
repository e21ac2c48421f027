"""What the queue tells: how much work waits for a worker."""

from __future__ import annotations

from typing import Final

import procrastinate
from prometheus_client import CollectorRegistry, Gauge

from services.kit.jobs.queue import DEFAULT_QUEUE

#: Jobs whose turn has come and that a further worker could take: not those that wait for another job of the same lock.
_WAITING: Final = """
    SELECT count(*) AS waiting FROM procrastinate_jobs job
    WHERE job.status = 'todo' AND job.queue_name = %(queue)s
      AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
      AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs other WHERE other.status = 'doing' AND other.lock = job.lock)
"""


class JobMetrics:
    """The gauge of one process. Every worker tells the same number: the queue is theirs together."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._waiting = Gauge("clawstack_jobs_waiting", "Jobs that a free worker could begin.", registry=registry)

    async def note(self, app: procrastinate.App) -> None:
        """Ask the queue. Raises ConnectorException when the database does not answer; the gauge keeps its value."""
        row = await app.connector.execute_query_one_async(_WAITING, queue=DEFAULT_QUEUE)
        self._waiting.set(row["waiting"])
