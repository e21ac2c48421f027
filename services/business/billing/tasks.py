"""Billing's jobs: fetch a customer and apply, find out whom an event is about, close gaps. Retries live here."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import procrastinate

from clawstack.errors import ClawstackError, TemporaryError
from clawstack.logs import get_logger
from services.business.billing import jobs, repository
from services.business.billing.service import IGNORED, SUPERSEDED, Billing
from services.business.billing.stripe_events import parse
from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_sweep import StripeSweep
from services.kit.backoff import Backoff
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.kit.jobs.periodic import periodic
from services.kit.jobs.queue import DEFAULT_QUEUE, Job, defer

log = get_logger(__name__)

_LONGEST_WAIT: Final = 600.0
_SHARP: Final = 3
"""Attempts after which a temporary error is no longer silent."""


class BillingTasks:
    """What the worker runs for billing."""

    def __init__(self, *, database: Database, reader: StripeReader, billing: Billing, sweep: StripeSweep) -> None:
        self._database = database
        self._reader = reader
        self._billing = billing
        self._sweep = sweep

    def register(self, app: procrastinate.App) -> None:
        """Declare the jobs on the worker's app."""
        for name, work in (
            (jobs.REFETCH, self.refetch_customer),
            (jobs.RESOLVE, self.resolve_event),
            (jobs.CHECK_SIGNUP, self.check_signup),
        ):
            app.task(name=name, queue=DEFAULT_QUEUE)(work)
        periodic(jobs.SWEEP, cron=self._sweep.cron, work=self.sweep, one_at_a_time=True)(app)

    async def refetch_customer(self, stripe_customer_id: str, attempt: int = 0) -> str:
        """Fetch one customer and apply what is found; returns the outcome."""
        async with self._database.transaction() as session:
            turn = await repository.begin_turn(session, stripe_customer_id)
        try:
            facts = await self._reader.facts(stripe_customer_id)
            async with self._database.transaction() as session:
                return await self._billing.apply(session, turn, facts)
        except TemporaryError as error:
            again = jobs.refetch(stripe_customer_id, attempt=attempt + 1, at=utcnow() + wait_of(error, attempt))
            return await self._again(again, error, attempt)
        except ClawstackError as error:
            log.error(  # noqa: TRY400 - what Stripe said is all there is to know
                "stripe_refetch_failed", customer=stripe_customer_id, code=error.code, message=error.message
            )
            async with self._database.transaction() as session:
                await repository.finish_events_of(session, turn, error.code)
            return error.code

    async def resolve_event(self, event_id: str, attempt: int = 0) -> str:
        """Find the customer of an event that names none (a dispute names a charge), then have it refetched."""
        async with self._database.transaction() as session:
            event = await repository.event_of(session, event_id)
        if event is None or event.handled_at is not None:
            return SUPERSEDED
        try:
            customer = await self._reader.customer_of(parse(event.body).subject or "")
        except TemporaryError as error:
            again = jobs.resolve(event_id, attempt=attempt + 1, at=utcnow() + wait_of(error, attempt))
            return await self._again(again, error, attempt)
        except ClawstackError as error:
            log.error(  # noqa: TRY400 - what Stripe said is all there is to know
                "stripe_event_unresolved", event_id=event_id, code=error.code, message=error.message
            )
            return await self._finish(event_id, error.code)
        if customer is None:
            return await self._finish(event_id, IGNORED)
        async with self._database.transaction() as session:
            await repository.name_customer(session, event_id, customer)
            await defer(session, jobs.refetch(customer))
        return "resolved"

    async def check_signup(self, signup_id: str) -> str:
        """Ask whether a sign-up was paid: the success page may be open before the event arrives, or the event is lost."""
        async with self._database.transaction() as session:
            signup = await repository.signup_of(session, signup_id)
        if signup is None or signup.paid_at is not None or signup.checkout_session_id is None:
            return IGNORED
        try:
            checkout = await self._reader.session(signup.checkout_session_id)
        except TemporaryError as error:
            log.warning("signup_not_checked", code=error.code)  # the page asks again, and so does the sweep
            return error.code
        if checkout is None or checkout.customer_id is None:
            return IGNORED
        return await self.refetch_customer(checkout.customer_id)

    async def sweep(self) -> str:
        """List recent events and living subscriptions again."""
        try:
            return await self._sweep.run()
        except ClawstackError as error:
            log.warning("stripe_sweep_failed", code=error.code, message=error.message)
            return error.code

    async def _again(self, job: Job, error: TemporaryError, attempt: int) -> str:
        """Wait and repeat.

        A new job, not Procrastinate's own retry: when a newer event has a job waiting under the same queueing lock, the
        two must become one, which `defer` does and a retry in place cannot.
        """
        level = log.warning if attempt >= _SHARP else log.info
        level("stripe_job_waits", task=job.task, code=error.code, attempt=attempt, until=str(job.scheduled_at))
        async with self._database.transaction() as session:
            await defer(session, job)
        return error.code

    async def _finish(self, event_id: str, outcome: str) -> str:
        async with self._database.transaction() as session:
            await repository.finish_event(session, event_id, outcome)
        return outcome


def wait_of(error: TemporaryError, attempt: int) -> timedelta:
    """How long to wait after this many failures: doubling, at most ten minutes, spread so that jobs do not march in step."""
    return Backoff(first=max(error.retry_after, 1.0), longest=_LONGEST_WAIT).span(attempt + 1)
