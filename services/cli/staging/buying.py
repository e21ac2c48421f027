"""Pays and cancels at Stripe, in test mode and nowhere else."""

from __future__ import annotations

import re
from typing import Final

import stripe

from clawstack.errors import InvalidInputError, PermanentError
from services.business.billing.schemas import SIGNUP_METADATA

CARD: Final = "pm_card_visa"
"""Stripe's ready-made test card 4242 (https://docs.stripe.com/testing)."""
_TEST_KEY: Final = re.compile(r"(sk|rk)_test_\w+")
_SESSION: Final = re.compile(r"\bcs_(test|live)_\w+")
_REMEDY: Final = "Use a staging platform with a test key of Stripe, and the same account's key here: sk_test_..."


def require_test_key(key: str) -> str:
    """The key. Raises InvalidInputError for one that could move money: it is not even sent to Stripe."""
    if _TEST_KEY.fullmatch(key) is None:
        raise InvalidInputError("This is no test key of Stripe's.", code="not_test_mode", remedy=_REMEDY)
    return key


def session_of(checkout_url: str) -> str:
    """The Checkout Session of a payment page. Raises InvalidInputError where the platform sells for real money."""
    found = _SESSION.search(checkout_url)
    if found is None or found[1] != "test":
        raise InvalidInputError(
            "The platform's payment page is not one of Stripe's test mode; nothing was paid.",
            code="not_test_mode",
            remedy=_REMEDY,
        )
    return found[0]


class Buyer:
    """A customer with Stripe's test card. What Stripe refuses is told as PermanentError."""

    def __init__(self, key: str, *, base: str = "") -> None:
        """`base`: where Stripe's API is, for a stand-in."""
        self._http = stripe.RequestsClient()
        self._client = stripe.StripeClient(
            require_test_key(key), http_client=self._http, base_addresses={"api": base} if base else {}
        )
        self.subscription = ""
        """Once there is one that must be ended."""

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()  # type: ignore[no-untyped-call]  # Stripe's own

    def pay(self, signup_id: str, checkout_url: str, email: str) -> str:
        """Subscribe to what the payment page sells, for that sign-up; returns the subscription.

        The page itself cannot be filled in by a program; a subscription that names the sign-up is the same to the
        platform, which believes Stripe and not the page. The page is then closed, so that nobody pays it as well.
        """
        api = self._client.v1
        session = session_of(checkout_url)
        try:
            items = api.checkout.sessions.line_items.list(session).data
            prices = [item.price.id for item in items if item.price is not None]
            customer = api.customers.create({"email": email, "description": "clawstack smoke"})
            method = api.payment_methods.attach(CARD, {"customer": customer.id})
            bought = api.subscriptions.create(
                {
                    "customer": customer.id,
                    "items": [{"price": price} for price in prices],
                    "default_payment_method": method.id,
                    "metadata": {SIGNUP_METADATA: signup_id},
                }
            )
            self.subscription = bought.id
            api.checkout.sessions.expire(session)
        except stripe.StripeError as error:
            raise _refused(error) from error
        if bought.status != "active":
            raise PermanentError(f"The subscription is {bought.status} after the test card paid.", code="not_paid")
        return bought.id

    def cancel(self) -> str:
        """End the subscription at once; returns which."""
        ended, self.subscription = self.subscription, ""
        try:
            self._client.v1.subscriptions.cancel(ended)
        except stripe.StripeError as error:
            raise _refused(error) from error
        return ended


def _refused(error: stripe.StripeError) -> PermanentError:
    said = error.user_message or error.code or type(error).__name__
    return PermanentError(f"Stripe refused: {said}", code="stripe_refused", remedy=_REMEDY)
