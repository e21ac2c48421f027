"""The sweep: what webhooks should have told, asked for. Closes gaps that lost events, lost jobs and outages leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from clawstack.logs import get_logger
from clawstack.plans import Catalogue
from services.business.billing import jobs, repository
from services.business.billing.decisions import plan_of
from services.business.billing.facts import SubscriptionFact
from services.business.billing.service import Billing
from services.business.billing.stripe_events import VerifiedEvent
from services.business.billing.stripe_reader import StripeReader
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.kit.jobs.periodic import cron_of
from services.kit.jobs.queue import defer
from services.tables.billing import Subscription

log = get_logger(__name__)

_MARK: Final = "events"
#: Stripe's event list lags behind by a minute or so; a quarter of an hour costs one page.
_OVERLAP: Final = timedelta(minutes=15)
#: The first sweep of a new database looks this far back. What is older shows in the subscriptions themselves.
_FIRST: Final = timedelta(days=1)
#: Stripe lists events of the last 30 days.
_OLDEST: Final = timedelta(days=29)
#: An event that is this old and not handled has lost its job.
_PATIENCE: Final = timedelta(minutes=2)
_LOST_AT_ONCE: Final = 500


class StripeSweep:
    """Compares Stripe with what is stored and has every customer refetched for whom they differ."""

    def __init__(
        self,
        *,
        database: Database,
        reader: StripeReader,
        billing: Billing,
        catalogue: Catalogue,
        interval: timedelta,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._reader = reader
        self._billing = billing
        self._interval = interval

    @property
    def cron(self) -> str:
        """When to run, as cron can say it."""
        return cron_of(self._interval)

    async def run(self) -> str:
        """One sweep; raises TemporaryError when Stripe or the database is away."""
        started = utcnow()
        recorded = await self._events(started)
        differing = await self._subscriptions()
        lost = await self._lost_jobs(started)
        async with self._database.transaction() as session:
            await repository.save_sweep_mark(session, _MARK, swept_through=started)
        if recorded or differing or lost:
            log.warning("stripe_sweep_found", missed_events=recorded, differing=differing, lost_jobs=lost)
        return f"{recorded} events, {differing} customers, {lost} jobs"

    async def _events(self, started: datetime) -> int:
        async with self._database.transaction() as session:
            mark = await repository.sweep_mark(session, _MARK)
        since = mark.swept_through - _OVERLAP if mark is not None else started - _FIRST
        events = await self._reader.events_since(max(since, started - _OLDEST))
        return sum([await self._record(event) for event in events])

    async def _record(self, event: VerifiedEvent) -> bool:
        async with self._database.transaction() as session:
            return await self._billing.record(session, event)

    async def _subscriptions(self) -> int:
        living = {fact.id: fact for fact in await self._reader.living_subscriptions()}
        async with self._database.transaction() as session:
            stored = await repository.subscription_rows(session, living.keys())
            known = await repository.living_subscriptions(session)
            customers = {fact.customer_id for fact in living.values() if self._tells_news(fact, stored.get(fact.id))}
            # Stripe no longer lists these: they ended. A dispute ends without a change of the subscription.
            customers |= {item.stripe_customer_id for item in known if item.id not in living or item.disputed}
            for customer in sorted(customers):
                await defer(session, jobs.refetch(customer))
        return len(customers)

    def _tells_news(self, fact: SubscriptionFact, stored: Subscription | None) -> bool:
        if stored is None:  # perhaps a subscription to something else that the same Stripe account sells
            return fact.signup_id is not None or plan_of(fact.prices, self._catalogue) is not None
        return differs(fact, stored)

    async def _lost_jobs(self, started: datetime) -> int:
        async with self._database.transaction() as session:
            events = await repository.unhandled_events(session, before=started - _PATIENCE, limit=_LOST_AT_ONCE)
            # A job that waits out a back-off is brought forward by this, at most once an interval.
            for job in filter(None, map(jobs.for_stored, events)):
                await defer(session, job)
        return len(events)


def differs(fact: SubscriptionFact, stored: Subscription) -> bool:
    """True when what is stored is not what Stripe says."""
    keys = {price.lookup_key for price in fact.prices if price.lookup_key}
    return (
        stored.status != fact.status
        or stored.cancel_at_period_end != fact.ends_at_period_end
        or stored.current_period_end != fact.current_period_end
        or bool(keys and stored.price_lookup_key not in keys)
    )
