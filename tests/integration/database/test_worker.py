"""The worker outlives its database: kill -9 of the server, jobs done afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from datetime import timedelta

import pytest
from procrastinate.exceptions import ConnectorException
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.kit.jobs.metrics import JobMetrics
from services.kit.jobs.queue import Job, defer
from services.kit.jobs.worker import create_jobs_app, run_worker
from services.kit.parts import Part
from services.tables import migrate
from tests.embedded_server import running_postgres
from tests.waiting import eventually, patient


@pytest.fixture
def server():
    with running_postgres() as server:
        migrate.upgrade(server.url)
        yield server


def _part(done: list[str]) -> Part:
    def register(app) -> None:
        @app.task(name="probe", queue="clawstack")
        async def probe(word: str) -> None:
            done.append(word)

    return Part(name="probe", register_tasks=register)


async def _defer(database, word):
    async with database.transaction() as session:
        await defer(session, Job(task="probe", args={"word": word}))


async def _until(condition, seconds=30):
    await eventually(condition, f"{condition}", seconds=seconds, pause=0.05)


async def test_jobs_are_done_after_the_server_was_killed(server):
    done: list[str] = []
    database = Database(server.url)
    worker = asyncio.create_task(run_worker(server.url, (_part(done),), name="w", concurrency=2, metrics=JobMetrics()))
    try:
        await _defer(database, "before")
        await _until(lambda: done == ["before"])
        os.kill(server.server_pid(), signal.SIGKILL)
        await _until(lambda: server.server_pid() is None)
        assert await asyncio.to_thread(server.ensure_running)
        await _defer(database, "after")
        await _until(lambda: done == ["before", "after"])
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        await database.close()
    assert worker.done()


async def test_a_session_that_sleeps_in_a_transaction_is_ended_by_the_server(database, postgres_url):
    async with database.transaction() as session:
        assert (await session.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar_one() == "15s"
    app = create_jobs_app(postgres_url, ())
    async with app.open_async():
        row = await app.connector.execute_query_one_async(
            "SELECT current_setting('idle_in_transaction_session_timeout') AS t"
        )
    assert row["t"] == "15s"


async def test_a_cancelled_worker_ends_and_is_not_begun_again(database, postgres_url):
    done: list[str] = []
    worker = asyncio.create_task(
        run_worker(postgres_url, (_part(done),), name="w", concurrency=2, metrics=JobMetrics())
    )
    await _defer(database, "x")
    await _until(lambda: done == ["x"])
    worker.cancel()
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(patient(20)):
            await worker
    assert worker.done()


class _LosesItsCancellation(JobMetrics):
    """As a connection that breaks in the moment in which whoever waits for its answer is cancelled."""

    async def note(self, app):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ConnectorException from None


async def test_a_cancellation_that_gets_lost_beside_the_worker_holds_nobody_up(database, postgres_url):
    done: list[str] = []
    metrics = _LosesItsCancellation(CollectorRegistry())
    worker = asyncio.create_task(run_worker(postgres_url, (_part(done),), name="w", concurrency=2, metrics=metrics))
    await _defer(database, "x")
    await _until(lambda: done == ["x"])
    worker.cancel()
    await asyncio.wait({worker}, timeout=patient(30))
    assert worker.cancelled() or worker.result() is None


async def test_only_what_a_free_worker_could_begin_counts_as_waiting(database, postgres_url):
    registry = CollectorRegistry()
    metrics, later = JobMetrics(registry), utcnow() + timedelta(hours=1)
    async with database.transaction() as session:
        for word, lock, when in (("a", "one", None), ("b", "one", None), ("c", "two", None), ("d", None, later)):
            await defer(session, Job(task="probe", args={"word": word}, lock=lock, scheduled_at=when))
    app = create_jobs_app(postgres_url, ())
    async with app.open_async():
        await metrics.note(app)
        assert registry.get_sample_value("clawstack_jobs_waiting") == 3
        taken = await app.job_manager.fetch_job(["clawstack"], await app.job_manager.register_worker())
        assert taken is not None
        await metrics.note(app)
        assert registry.get_sample_value("clawstack_jobs_waiting") == 1, "b waits for a, not for a worker"


async def test_a_worker_tells_how_much_waits(database, postgres_url):
    registry = CollectorRegistry()
    begun, hold = asyncio.Event(), asyncio.Event()

    def register(app) -> None:
        @app.task(name="probe", queue="clawstack")
        async def probe(word: str) -> None:
            begun.set()
            await hold.wait()

    part = Part(name="probe", register_tasks=register)
    work = run_worker(postgres_url, (part,), name="w", concurrency=1, metrics=JobMetrics(registry))
    worker = asyncio.create_task(work)
    try:
        for word in "abc":
            await _defer(database, word)
        await begun.wait()
        await _until(lambda: registry.get_sample_value("clawstack_jobs_waiting") == 2)
        hold.set()
        await _until(lambda: registry.get_sample_value("clawstack_jobs_waiting") == 0)
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def test_a_job_brought_forward_waits_for_no_old_back_off(database, postgres_url):
    done: list[str] = []
    async with database.transaction() as session:
        later = Job(task="probe", args={"word": "x"}, queueing_lock="q", scheduled_at=utcnow() + timedelta(hours=1))
        await defer(session, later)
        await defer(session, Job(task="probe", args={"word": "x"}, queueing_lock="q"))
    worker = asyncio.create_task(
        run_worker(postgres_url, (_part(done),), name="w", concurrency=1, metrics=JobMetrics())
    )
    try:
        await _until(lambda: done == ["x"])
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
