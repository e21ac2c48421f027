"""What the platform asks Stripe to make or change. Every request carries a key derived from its cause, so that a
repetition after a crash or a lost answer takes effect once (Stripe keeps such keys for at least 24 hours).
"""

from __future__ import annotations

from dataclasses import dataclass

from clawstack.errors import ConflictError
from services.business.billing.errors import StripeNotFoundError
from services.business.billing.facts import SubscriptionFact
from services.business.billing.schemas import SIGNUP_METADATA, SessionAnswer
from services.business.billing.stripe_access import StripeAccess


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckoutRequest:
    """A Checkout Session to be made for one sign-up."""

    signup_id: str
    email: str
    price_id: str
    success_url: str
    cancel_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """Where the customer pays."""

    session_id: str
    url: str


class StripeWriter:
    """Changes at Stripe. Their effects arrive here by events and refetches only."""

    def __init__(self, access: StripeAccess) -> None:
        self._access = access

    async def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """A page where the customer subscribes. The sign-up's id goes on the session and on the subscription."""
        metadata = {SIGNUP_METADATA: request.signup_id}
        async with self._access.exchange() as client:
            session = await client.v1.checkout.sessions.create_async(
                {
                    "mode": "subscription",
                    "line_items": [{"price": request.price_id, "quantity": 1}],
                    "customer_email": request.email,
                    "client_reference_id": request.signup_id,
                    "metadata": metadata,
                    "subscription_data": {"metadata": metadata},
                    "success_url": request.success_url,
                    "cancel_url": request.cancel_url,
                },
                {"idempotency_key": f"clawstack-checkout-{request.signup_id}-{request.price_id}"},
            )
            answer = SessionAnswer.model_validate(session.to_dict())
        if answer.url is None:
            raise StripeNotFoundError(f"Stripe made session {answer.id} without a page to pay on.")
        return Checkout(session_id=answer.id, url=answer.url)

    async def create_portal_session(self, *, stripe_customer_id: str, return_url: str) -> str:
        """URL of Stripe's own customer portal. It is a bearer secret of a few minutes: send it to nobody else."""
        async with self._access.exchange() as client:
            session = await client.v1.billing_portal.sessions.create_async(
                {"customer": stripe_customer_id, "return_url": return_url}
            )
            return session.url

    async def change_price(self, subscription: SubscriptionFact, *, price_id: str, cause: str) -> None:
        """Move a subscription to another price at once, the difference settled by proration.

        `cause` names the wish (a request's id): a key made of the two prices would swallow the third of three changes
        of mind within a day.
        """
        if len(subscription.item_ids) != 1:
            raise ConflictError(
                f"Subscription {subscription.id} has {len(subscription.item_ids)} items; one is expected.",
                code="unusual_subscription",
                remedy="Change it in Stripe's dashboard.",
            )
        if subscription.prices[0].id == price_id:
            return
        async with self._access.exchange() as client:
            await client.v1.subscriptions.update_async(
                subscription.id,
                {
                    "items": [{"id": subscription.item_ids[0], "price": price_id}],
                    "proration_behavior": "create_prorations",
                },
                {"idempotency_key": f"clawstack-price-{subscription.id}-{price_id}-{cause}"},
            )
