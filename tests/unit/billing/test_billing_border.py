"""What Stripe says, in our words: answers, refusals, waiting times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from clawstack.errors import ClawstackError, PaymentRequiredError, PermanentError, TemporaryError
from clawstack.plans import load_catalogue
from services.business.billing.errors import StripeNotFoundError, translated
from services.business.billing.facts import CustomerFacts, SessionFact
from services.business.billing.schemas import SessionAnswer, SubscriptionAnswer
from services.business.billing.stripe_sweep import StripeSweep, differs
from services.business.billing.tasks import wait_of
from services.tables.billing import Subscription
from tests.unit.billing.builders import START, subscription

ANSWER: dict[str, Any] = {
    "id": "sub_1",
    "object": "subscription",
    "customer": "cus_1",
    "status": "active",
    "created": 1_790_000_000,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "metadata": {"signup_id": "abc"},
    "items": {
        "object": "list",
        "data": [
            {
                "id": "si_1",
                "current_period_end": 1_792_592_000,
                "price": {"id": "price_1", "lookup_key": "clawstack_pro_year", "metadata": {}},
            }
        ],
    },
    "something_new": {"from": "a later API version"},
}


def test_a_subscription_is_reduced_to_what_decides() -> None:
    fact = SubscriptionAnswer.model_validate(ANSWER).fact()
    assert (fact.signup_id, fact.prices[0].lookup_key, fact.item_ids) == ("abc", "clawstack_pro_year", ("si_1",))
    assert fact.current_period_end == datetime.fromtimestamp(1_792_592_000, UTC)
    assert not fact.ends_at_period_end


@pytest.mark.parametrize("ending", [{"cancel_at": 1_792_592_000}, {"cancel_at_period_end": True}])
def test_both_ways_of_cancelling_later_are_seen(ending: dict[str, Any]) -> None:
    assert SubscriptionAnswer.model_validate(ANSWER | ending).fact().ends_at_period_end


def test_an_expanded_customer_is_reduced_to_its_id() -> None:
    answer = SubscriptionAnswer.model_validate(ANSWER | {"customer": {"id": "cus_2", "object": "customer"}})
    assert answer.fact().customer_id == "cus_2"


def test_a_session_without_metadata_is_read() -> None:
    raw = {"id": "cs_1", "payment_status": "paid", "metadata": None, "customer_details": {"email": "a@example.com"}}
    fact = SessionAnswer.model_validate(raw).fact()
    assert (fact.signup_id, fact.email) == (None, "a@example.com")


def test_the_session_names_the_signup_when_the_subscription_lacks_it() -> None:
    bare = subscription(signup_id=None)
    session = SessionFact(
        id="cs_1", status="complete", payment_status="paid", subscription_id="sub_1", signup_id="from-session"
    )
    other = SessionFact(id="cs_0", status="complete", payment_status="paid", subscription_id="sub_0", signup_id="wrong")
    facts = CustomerFacts(stripe_customer_id="cus_1", subscriptions=(bare,), sessions=(other, session))
    assert facts.signup_of(bare) == "from-session"


@pytest.mark.parametrize(
    ("raised", "expected", "code"),
    [
        (stripe.RateLimitError("slow", http_status=429, headers={"retry-after": "7"}), TemporaryError, "stripe_rate_limited"),
        (stripe.APIConnectionError("no route"), TemporaryError, "stripe_unreachable"),  # type: ignore[no-untyped-call]
        (stripe.APIError("oops", http_status=500), TemporaryError, "stripe_unavailable"),
        (stripe.InvalidRequestError("locked", None, http_status=409), TemporaryError, "stripe_unavailable"),  # type: ignore[no-untyped-call]
        (stripe.AuthenticationError("no", http_status=401), TemporaryError, "stripe_key_refused"),
        (stripe.PermissionError("no", http_status=403), TemporaryError, "stripe_key_refused"),
        (stripe.InvalidRequestError("gone", "id", code="resource_missing", http_status=404), StripeNotFoundError, "stripe_not_found"),  # type: ignore[no-untyped-call]
        (stripe.InvalidRequestError("bad", "price", http_status=400), PermanentError, "stripe_refused"),  # type: ignore[no-untyped-call]
        (stripe.IdempotencyError("reused", http_status=400), PermanentError, "stripe_refused"),
        (stripe.CardError("declined", None, "card_declined", http_status=402), PaymentRequiredError, "card_declined"),  # type: ignore[no-untyped-call]
    ],
)  # fmt: skip
def test_refusals_of_stripe_become_our_errors(raised: Exception, expected: type[ClawstackError], code: str) -> None:
    with pytest.raises(expected) as caught, translated():
        raise raised
    assert caught.value.code == code
    assert caught.value.__cause__ is raised


def test_the_wait_that_stripe_asks_for_is_kept() -> None:
    with pytest.raises(TemporaryError) as caught, translated():
        raise stripe.RateLimitError("slow", http_status=429, headers={"retry-after": "7"})
    assert caught.value.retry_after == 7


def test_a_shape_that_is_not_known_is_no_crash() -> None:
    with pytest.raises(PermanentError) as caught, translated():
        SubscriptionAnswer.model_validate({"id": "sub_1"})
    assert caught.value.code == "stripe_shape"


def test_waiting_doubles_and_ends_at_ten_minutes() -> None:
    error = TemporaryError("busy", retry_after=2.0)
    waits = [wait_of(error, attempt).total_seconds() for attempt in (0, 1, 2, 5, 12, 1000)]
    for wait, centre in zip(waits, (2, 4, 8, 64, 600, 600), strict=True):
        assert 0.8 * centre <= wait <= 1.2 * centre


@pytest.mark.parametrize(
    ("interval", "cron"),
    [
        (timedelta(seconds=5), "* * * * * */5"),
        (timedelta(minutes=5), "*/5 * * * *"),
        (timedelta(minutes=59), "*/59 * * * *"),
        (timedelta(hours=2), "0 */2 * * *"),
        (timedelta(days=3), "0 */23 * * *"),
    ],
)
def test_the_sweep_runs_as_often_as_cron_can_say(interval: timedelta, cron: str) -> None:
    sweep = StripeSweep(
        database=None,  # type: ignore[arg-type]  # not asked
        reader=None,  # type: ignore[arg-type]
        billing=None,  # type: ignore[arg-type]
        catalogue=load_catalogue(),
        interval=interval,
    )
    assert sweep.cron == cron


def _stored(**changes: Any) -> Subscription:
    values = {
        "id": "sub_1",
        "status": "active",
        "price_lookup_key": "clawstack_starter_month",
        "cancel_at_period_end": False,
        "current_period_end": START + timedelta(days=30),
    }
    return Subscription(**(values | changes))


def test_the_sweep_leaves_what_is_known_alone() -> None:
    assert not differs(subscription(), _stored())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "past_due"},
        {"price_lookup_key": "clawstack_pro_month"},
        {"cancel_at_period_end": True},
        {"current_period_end": START},
    ],
)
def test_the_sweep_notices_every_difference_that_decides(change: dict[str, Any]) -> None:
    assert differs(subscription(), _stored(**change))
