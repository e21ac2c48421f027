"""Deferring jobs inside the transaction that makes them necessary: both are committed, or neither is.

Procrastinate's own `defer` uses a connection of its own. Its table is written here directly instead (the schema is
pinned by our migration), with one addition: a job that is already waiting under the same queueing lock is brought
forward rather than refused, so that a change of mind never waits for an old back-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

DEFAULT_QUEUE = "clawstack"

_INSERT = text(
    """
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
    VALUES (:queue, :task, :priority, :lock, :queueing_lock, :args, :scheduled_at)
    ON CONFLICT (queueing_lock) WHERE status = 'todo'
    DO UPDATE SET scheduled_at =
        CASE WHEN EXCLUDED.scheduled_at IS NULL OR procrastinate_jobs.scheduled_at IS NULL THEN NULL
             ELSE LEAST(procrastinate_jobs.scheduled_at, EXCLUDED.scheduled_at) END
    """
)
_ALIVE = text("SELECT max(last_heartbeat) > now() - :silent FROM procrastinate_workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job to defer. Jobs of one `lock` run one at a time; at most one per `queueing_lock` waits."""

    task: str
    args: dict[str, Any]
    lock: str | None = None
    queueing_lock: str | None = None
    scheduled_at: datetime | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = 0


async def worker_is_alive(session: AsyncSession, *, within: timedelta) -> bool:
    """True when a worker showed life lately: what is deferred will be done."""
    return bool((await session.execute(_ALIVE, {"silent": within})).scalar_one())


async def defer(session: AsyncSession, job: Job) -> None:
    """Defer `job` as part of the session's transaction."""
    await session.execute(
        _INSERT,
        {
            "queue": job.queue,
            "task": job.task,
            "priority": job.priority,
            "lock": job.lock,
            "queueing_lock": job.queueing_lock,
            "args": Jsonb(job.args),
            "scheduled_at": job.scheduled_at,
        },
    )
