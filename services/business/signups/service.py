"""Sign-up: from a checked order to a payment page, and from a sign-up's id to what became of it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError, NotFoundError, PermanentError
from clawstack.logs import get_logger
from services.business.billing import jobs
from services.business.billing.decisions import wish_of
from services.business.billing.stripe_writer import Checkout, CheckoutRequest, StripeWriter
from services.business.signups import repository
from services.business.signups.adapters import PriceBook, TelegramLinks
from services.business.signups.errors import CheckoutUnavailableError
from services.business.signups.forms import Order
from services.business.signups.progress import Happening, SignupProgress, SignupSituation, Stage, progress_of
from services.business.signups.repository import SignupState
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.kit.jobs.queue import defer
from services.tables.billing import Signup

log = get_logger(__name__)

_ID_BYTES: Final = 24  # 192 random bits: the id alone opens the success page
#: Stripe closes a Checkout Session after a day unless told otherwise.
_CHECKOUT_LIFETIME: Final = timedelta(hours=24)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A sign-up that waits for its payment."""

    signup_id: str
    checkout_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What became of a sign-up. `chat_url` only when live, `checkout_url` only when unpaid."""

    signup_id: str
    progress: SignupProgress
    chat_url: str | None
    checkout_url: str | None


class Onboarding:
    """Sells, and tells what became of it."""

    def __init__(
        self, *, database: Database, prices: PriceBook, checkouts: StripeWriter, links: TelegramLinks, base_url: str
    ) -> None:
        """`base_url`: public root of the pages, where Stripe sends the customer back to."""
        self._database = database
        self._prices = prices
        self._checkouts = checkouts
        self._links = links
        self._base_url = base_url

    async def start(self, order: Order) -> Started:
        """Store the sign-up and open a payment page; raises CheckoutUnavailableError when Stripe does not play along."""
        signup = Signup(
            id=secrets.token_urlsafe(_ID_BYTES),
            email=order.email,
            plan=order.plan.key,
            period=order.period.value,
            bundle=order.bundle.name,
            bundle_version=order.bundle.version,
            answers=dict(order.answers),
        )
        # Stored before Stripe is asked: a payment must never name a sign-up that does not exist.
        async with self._database.transaction() as session:
            await repository.add(session, signup)
        checkout = await self._checkout(signup.id, order)
        async with self._database.transaction() as session:
            await repository.attach_checkout(session, signup.id, session_id=checkout.session_id, url=checkout.url)
        log.info("signup_started", plan=order.plan.key, period=order.period.value, bundle=order.bundle.name)
        return Started(signup_id=signup.id, checkout_url=checkout.url)

    async def _checkout(self, signup_id: str, order: Order) -> Checkout:
        try:
            try:
                return await self._open(signup_id, order)
            except PermanentError:
                # The price may have been replaced since it was looked up.
                self._prices.forget(order.lookup_key)
                return await self._open(signup_id, order)
        except ClawstackError as error:
            log.exception(
                "checkout_unavailable", code=error.code, message=error.sentence(), lookup_key=order.lookup_key
            )
            raise CheckoutUnavailableError(
                "The payment page cannot be opened at the moment. Nothing was charged.",
                remedy="Please try again in a minute.",
                retry_after=30.0,
            ) from error

    async def _open(self, signup_id: str, order: Order) -> Checkout:
        return await self._checkouts.create_checkout(
            CheckoutRequest(
                signup_id=signup_id,
                email=order.email,
                price_id=await self._prices.id_of(order.lookup_key),
                success_url=f"{self._base_url}/welcome/{signup_id}",
                cancel_url=f"{self._base_url}/signup?again={signup_id}",
            )
        )

    async def status(self, signup_id: str, *, ask_stripe: bool = False) -> Status:
        """What became of a sign-up; raises NotFoundError.

        With `ask_stripe` an unpaid one is looked up at Stripe by a job: the customer who comes back from paying must
        not wait for a lost webhook.
        """
        async with self._database.transaction() as session:
            known = await repository.state_of(session, signup_id) if _ID.fullmatch(signup_id) else None
            if known is None:
                raise NotFoundError(
                    "There is no such sign-up.", code="unknown_signup", remedy="Check the address, or sign up anew."
                )
            progress = progress_of(situation_of(known))
            if ask_stripe and progress.stage is Stage.UNPAID and known.signup.checkout_session_id is not None:
                await defer(session, jobs.check_signup(signup_id))
            return await self._status(session, known, progress)

    async def _status(self, session: AsyncSession, known: SignupState, progress: SignupProgress) -> Status:
        live = progress.stage is Stage.LIVE and known.tenant is not None
        return Status(
            signup_id=known.signup.id,
            progress=progress,
            chat_url=await self._links.link(session, known.tenant.id) if live and known.tenant is not None else None,
            checkout_url=known.signup.checkout_url if progress.stage is Stage.UNPAID else None,
        )

    async def unpaid(self, signup_id: str) -> Signup | None:
        """A sign-up that was not paid, to fill the form again after a cancelled payment; None for all others."""
        if not _ID.fullmatch(signup_id):
            return None
        async with self._database.transaction() as session:
            signup = await repository.find(session, signup_id)
        return signup if signup is not None and signup.paid_at is None and signup.customer_id is None else None


def situation_of(known: SignupState) -> SignupSituation:
    """The rows as facts."""
    subscription, tenant = known.subscription, known.tenant
    return SignupSituation(
        paid=known.signup.paid_at is not None,
        expired=known.signup.created_at < utcnow() - _CHECKOUT_LIFETIME,
        subscription_status=subscription.status if subscription else None,
        wanted=wish_of(subscription.wanted) if subscription else None,
        wanted_reason=subscription.wanted_reason if subscription else None,
        attention=subscription.attention if subscription else None,
        tenant_state=tenant.state if tenant else None,
        healthy_at=tenant.healthy_at if tenant else None,
        happenings=tuple(Happening(kind=event.kind, message=event.message, data=event.data) for event in known.events),
    )
