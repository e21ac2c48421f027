"""The worker loop: Procrastinate, kept going through outages of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import procrastinate
import psycopg
from procrastinate import exceptions

from clawstack.background import background
from clawstack.logs import get_logger
from services.kit.database.connection import session_conninfo
from services.kit.jobs.metrics import JobMetrics
from services.kit.jobs.queue import DEFAULT_QUEUE
from services.kit.parts import Part

log = get_logger(__name__)

_POLL_SECONDS = 1.0
"""Fallback where a notification was lost; jobs normally start by LISTEN/NOTIFY."""
_HEARTBEAT_SECONDS = 5.0
STALLED_AFTER_SECONDS = 15.0
"""A worker that has not shown life for this long is taken for dead, and its jobs are started again."""
POOL: Final = 6
"""Most connections of a worker's queue, besides the one that listens."""
_PAUSE_SECONDS = 1.0
_GRACE_SECONDS = 5.0
"""What is not done by then is interrupted and handed over: any operation can be repeated."""


def create_jobs_app(database_url: str, parts: Iterable[Part]) -> procrastinate.App:
    """Procrastinate on our PostgreSQL, with every part's jobs declared on it."""
    connector = procrastinate.PsycopgConnector(
        conninfo=session_conninfo(database_url), min_size=1, max_size=POOL, timeout=10
    )
    app = procrastinate.App(connector=connector)
    for part in parts:
        if part.register_tasks is not None:
            part.register_tasks(app)
    return app


async def run_worker(
    database_url: str, parts: tuple[Part, ...], *, name: str, concurrency: int, metrics: JobMetrics
) -> None:
    """Work until cancelled. A database that goes away is waited for; running jobs are cancelled with their task."""
    while True:
        app = create_jobs_app(database_url, parts)
        try:
            async with app.open_async(), background(_watch_jobs(app, metrics), name="watch-jobs"):
                await app.run_worker_async(
                    queues=[DEFAULT_QUEUE],
                    name=name,
                    concurrency=concurrency,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    update_heartbeat_interval=_HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_AFTER_SECONDS * 4,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=_GRACE_SECONDS,
                )
            if _is_cancelled():
                return
            log.warning("worker_ended_by_itself", retry_in=_PAUSE_SECONDS)  # as it does when its connections are cut
        except (psycopg.Error, exceptions.ConnectorException, OSError) as error:
            log.warning("worker_lost_database", error=type(error).__name__, retry_in=_PAUSE_SECONDS)
        except Exception:  # a worker that silently ends would leave every tenant waiting
            log.exception("worker_failed", retry_in=_PAUSE_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _watch_jobs(app: procrastinate.App, metrics: JobMetrics) -> None:
    """Start jobs of dead workers again and note how many wait, over and over."""
    while True:
        try:
            await retry_stalled_jobs(app)
            await metrics.note(app)
        except (psycopg.Error, exceptions.ConnectorException) as error:
            log.warning("jobs_not_checked", error=type(error).__name__)
        await asyncio.sleep(_HEARTBEAT_SECONDS)


async def retry_stalled_jobs(app: procrastinate.App) -> int:
    """Put jobs of workers without a heartbeat back into the queue; returns how many.

    A job whose twin already waits under the same queueing lock is dropped instead: the twin does the same work.
    """
    count = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        try:
            await app.job_manager.retry_job(job)
        except exceptions.UniqueViolation:  # not AlreadyEnqueued: that is what deferring raises
            await app.job_manager.finish_job(job, procrastinate.jobs.Status.FAILED, delete_job=True)
        except exceptions.ConnectorException as error:
            log.warning("stalled_job_kept", job=job.id, error=str(error.__cause__ or error)[:200])
            continue
        log.warning("stalled_job_retried", job=job.id, task=job.task_name)
        count += 1
    return count
