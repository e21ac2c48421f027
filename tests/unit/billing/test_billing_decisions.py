"""What is wanted follows from facts alone, whatever order they come in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstack.plans import load_catalogue
from clawstack.vocabulary import Desired
from services.business.billing.decisions import DISPUTED, GRACE, Attention, SubscriptionVerdict, combine, judge, plan_of
from services.business.billing.facts import DisputeFact, PriceFact
from services.business.billing.service import Change, change_of
from tests.unit.billing.builders import START, facts, subscription

CATALOGUE = load_catalogue()
STATUSES = {
    "active": Desired.RUNNING,
    "trialing": Desired.RUNNING,
    "past_due": Desired.RUNNING,
    "unpaid": Desired.SUSPENDED,
    "paused": Desired.SUSPENDED,
    "canceled": Desired.ABSENT,
    "incomplete_expired": Desired.ABSENT,
    "incomplete": None,
}


@pytest.mark.parametrize(("status", "wanted"), STATUSES.items())
def test_each_status_of_stripe_has_one_meaning(status: str, wanted: Desired | None) -> None:
    fact = subscription(status)
    verdict = judge(fact, facts(fact), CATALOGUE)
    assert (verdict.wanted, verdict.plan, verdict.attention) == (wanted, "starter", None)


def test_past_due_keeps_running_and_says_why() -> None:
    fact = subscription("past_due")
    assert judge(fact, facts(fact), CATALOGUE).reason == GRACE


def test_a_status_that_stripe_invents_later_changes_nothing_and_calls_an_operator() -> None:
    fact = subscription("hibernating")
    verdict = judge(fact, facts(fact), CATALOGUE)
    assert (verdict.wanted, verdict.attention) == (None, Attention.UNKNOWN_STATUS)


@pytest.mark.parametrize("status", ["active", "trialing", "past_due"])
def test_an_unknown_price_gives_nothing(status: str) -> None:
    fact = subscription(status, key="somebody_elses_price")
    verdict = judge(fact, facts(fact), CATALOGUE)
    assert (verdict.wanted, verdict.plan, verdict.attention) == (None, None, Attention.UNKNOWN_PRICE)


@pytest.mark.parametrize(("status", "wanted"), [("canceled", Desired.ABSENT), ("unpaid", Desired.SUSPENDED)])
def test_an_unknown_price_does_not_keep_anything_from_being_taken(status: str, wanted: Desired | None) -> None:
    fact = subscription(status, key=None)
    assert judge(fact, facts(fact), CATALOGUE).wanted is wanted


def test_two_of_our_prices_on_one_subscription_are_not_guessed_between() -> None:
    prices = (
        PriceFact(id="a", lookup_key="clawstack_starter_month"),
        PriceFact(id="b", lookup_key="clawstack_business_month"),
    )
    assert plan_of(prices, CATALOGUE) is None


def test_a_price_that_lost_its_lookup_key_to_a_newer_one_is_still_known() -> None:
    prices = (PriceFact(id="a", lookup_key=None, original_lookup_key="clawstack_pro_year"),)
    bought = plan_of(prices, CATALOGUE)
    assert bought is not None
    assert (bought[0].key, bought[1].value) == ("pro", "year")


def test_an_extra_item_beside_our_price_does_not_hide_it() -> None:
    prices = (PriceFact(id="a", lookup_key="clawstack_pro_month"), PriceFact(id="b", lookup_key="support_hours"))
    bought = plan_of(prices, CATALOGUE)
    assert bought is not None
    assert bought[0].key == "pro"


@pytest.mark.parametrize("status", ["needs_response", "under_review", "lost", "warning_needs_response"])
def test_a_dispute_suspends(status: str) -> None:
    fact = subscription()
    dispute = DisputeFact(id="dp_1", status=status, created=START + timedelta(days=3))
    verdict = judge(fact, facts(fact, disputes=(dispute,)), CATALOGUE)
    assert (verdict.wanted, verdict.reason, verdict.disputed_at) == (Desired.SUSPENDED, DISPUTED, dispute.created)


@pytest.mark.parametrize("status", ["won", "warning_closed", "prevented"])
def test_a_dispute_settled_for_us_lets_it_run_again(status: str) -> None:
    fact = subscription()
    dispute = DisputeFact(id="dp_1", status=status, created=START + timedelta(days=3))
    assert judge(fact, facts(fact, disputes=(dispute,)), CATALOGUE).wanted is Desired.RUNNING


def test_an_old_dispute_does_not_count_against_a_later_subscription() -> None:
    fact = subscription(created=START + timedelta(days=60))
    dispute = DisputeFact(id="dp_1", status="lost", created=START)
    assert judge(fact, facts(fact, disputes=(dispute,)), CATALOGUE).wanted is Desired.RUNNING


def test_a_dispute_does_not_resurrect_what_was_cancelled() -> None:
    fact = subscription("canceled")
    dispute = DisputeFact(id="dp_1", status="needs_response", created=START + timedelta(days=3))
    assert judge(fact, facts(fact, disputes=(dispute,)), CATALOGUE).wanted is Desired.ABSENT


def test_a_deleted_customer_has_nothing_left() -> None:
    fact = subscription()
    assert judge(fact, facts(fact, deleted=True), CATALOGUE).wanted is Desired.ABSENT


@given(st.permutations(list(enumerate(STATUSES))))
def test_the_order_of_subscriptions_does_not_matter(order: list[tuple[int, str]]) -> None:
    items = [subscription(status, id=f"sub_{n}", created=START + timedelta(days=n)) for n, status in order]
    verdict = combine(judge(item, facts(*items), CATALOGUE) for item in items)
    assert verdict is not None
    assert (verdict.wanted, verdict.reason) == (Desired.RUNNING, GRACE), "the newest of the running ones decides"


@given(st.permutations(["starter", "pro", "business"]))
def test_equals_of_one_instant_are_told_apart_the_same_way_in_any_order(plans: list[str]) -> None:
    verdict = combine(SubscriptionVerdict(wanted=Desired.RUNNING, created=START, plan=plan) for plan in plans)
    assert verdict is not None
    assert verdict.plan == "starter"


def test_ending_one_of_two_subscriptions_keeps_the_tenant() -> None:
    ended, living = subscription("canceled", id="sub_2", created=START + timedelta(days=9)), subscription("active")
    verdict = combine(judge(item, facts(ended, living), CATALOGUE) for item in (ended, living))
    assert verdict is not None
    assert verdict.wanted is Desired.RUNNING


def _verdict(wanted: Desired | None, plan: str | None = "starter") -> SubscriptionVerdict:
    return SubscriptionVerdict(wanted=wanted, created=START, plan=plan)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (Desired.RUNNING, Desired.RUNNING, None),
        (Desired.SUSPENDED, Desired.RUNNING, Change(state=Desired.RUNNING, plan="starter")),
        (None, Desired.RUNNING, Change(state=Desired.RUNNING, plan="starter")),
        (Desired.RUNNING, None, None),
        (Desired.RUNNING, Desired.SUSPENDED, Change(state=Desired.SUSPENDED)),
        (Desired.SUSPENDED, Desired.SUSPENDED, Change(state=Desired.SUSPENDED)),
        (Desired.ABSENT, Desired.ABSENT, Change(state=Desired.ABSENT)),
    ],
)
def test_taking_is_repeated_giving_is_not(before: Desired | None, now: Desired | None, change: Change | None) -> None:
    assert change_of(_verdict(now), _verdict(before)) == change


def test_another_price_changes_the_plan_only() -> None:
    assert change_of(_verdict(Desired.RUNNING, "pro"), _verdict(Desired.RUNNING)) == Change(plan="pro")
