"""The account: all or nothing, one second, rehearsals, due things in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stripe.control.billing import pay_session
from sandbox.stripe.control.catalogue import seed_catalogue
from sandbox.stripe.engine.due import run_until
from sandbox.stripe.model.cards import Card
from sandbox.stripe.model.config import AfterDunning, StripeConfig
from sandbox.stripe.model.errors import CardError
from sandbox.stripe.model.values import DAY, Json
from sandbox.stripe.objects.checkout import line_item_object, session_object
from sandbox.stripe.objects.people import customer_object
from sandbox.stripe.store.account import Account, Cause
from sandbox.stripe.store.database import Database
from sandbox.stripe.store.repository import Page


class Recorder:
    """An outbox that remembers."""

    def __init__(self) -> None:
        self.planned: list[list[str]] = []
        self.woken = 0

    def plan(self, events: list[Json]) -> None:
        self.planned.append([event["type"] for event in events])

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    database = Database(tmp_path / "stripe.sqlite3")
    yield Account(StripeConfig(data=tmp_path, keep_events=50), database)
    database.close()


def someone(account: Account) -> Json:
    return customer_object(email="a@example.com", name=None, created=account.now, metadata={})


def sign_up(account: Account, card: str = "4242424242424242") -> Json:
    """A paid monthly subscription for 19.00."""
    price = account.need(
        seed_catalogue(account, {"plans": {"starter": {"month": 1900}}})["prices"]["clawstack_starter_month"], "price"
    )
    session = session_object(
        mode="subscription",
        lines=[line_item_object(price=price, quantity=1, description="Starter")],
        created=account.now,
        expires_at=account.now + DAY,
        customer=None,
        customer_email="a@example.com",
        success_url="x",
        cancel_url=None,
        client_reference_id=None,
        metadata={},
        locale=None,
        subscription_data={"metadata": {}},
        address="http://127.0.0.1",
        known_email=None,
    )
    with account.operation():
        account.create(session)
    paid = pay_session(account, session["id"], Card(number=card), email=None, name=None)
    return account.need(paid["subscription"], "subscription")


def types(account: Account) -> list[str]:
    found, _ = account.events.find([], page=Page(limit=100))
    return [event["type"] for event in found][::-1]


def test_an_operation_that_fails_leaves_no_object_no_event_and_no_delivery(account: Account) -> None:
    outbox = Recorder()
    account.outbox = outbox
    customer = someone(account)

    def breaks() -> None:
        with account.operation():
            account.create(customer, "customer.created")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        breaks()
    assert account.find(customer["id"]) is None
    assert types(account) == []
    assert (outbox.planned, outbox.woken) == ([], 0)


def test_events_are_planned_together_and_carry_their_cause(account: Account) -> None:
    outbox = Recorder()
    account.outbox = outbox
    with account.operation(Cause(request="req_1", idempotency_key="key-1")):
        customer = account.create(someone(account), "customer.created")
        customer["name"] = "Ada"
        account.save(customer, "customer.updated")
        account.save(customer, "customer.updated")
    assert outbox.planned == [["customer.created", "customer.updated"]], "nothing changed the second time"
    assert outbox.woken == 1
    (updated, created), _ = account.events.find([], page=Page())
    assert updated["data"]["previous_attributes"] == {"name": None}
    assert "previous_attributes" not in created["data"]
    assert created["data"]["object"]["name"] is None, "an event keeps its own snapshot"
    assert created["request"] == {"id": "req_1", "idempotency_key": "key-1"}


def test_a_rehearsal_leaves_no_trace(account: Account) -> None:
    with account.operation():
        kept = account.create(someone(account), "customer.created")
        with account.rehearsal():
            rehearsed = account.create(someone(account), "customer.created")
            kept["name"] = "Changed"
            account.save(kept, "customer.updated")
    assert account.find(rehearsed["id"]) is None
    assert account.need(kept["id"], "customer")["name"] is None
    assert types(account) == ["customer.created"]


def test_only_the_newest_events_are_kept(account: Account) -> None:
    for _ in range(60):
        with account.operation():
            account.create(someone(account), "customer.created")
    assert len(types(account)) == 50


def test_a_year_of_renewals_happens_in_order(account: Account) -> None:
    subscription = sign_up(account)
    happened = run_until(account, account.now + 366 * DAY)
    assert len([line for line in happened if "renewed" in line]) == 12
    invoices = account.every("invoice")
    assert [invoice["status"] for invoice in invoices] == ["paid"] * 13
    moments = [invoice["created"] for invoice in invoices]
    assert moments == sorted(moments)
    numbers = [invoice["number"] for invoice in invoices]
    assert len(set(numbers)) == 13
    assert account.need(subscription["id"], "subscription")["status"] == "active"
    paid = sum(charge["amount"] for charge in account.every("charge") if charge["paid"])
    assert paid == 13 * 1900


@pytest.mark.parametrize(("setting", "ends"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")])
def test_dunning_ends_as_the_setting_says(account: Account, setting: str, ends: str) -> None:
    account.settings.put("after_dunning", AfterDunning(setting).value)
    subscription = sign_up(account, "4000000000000341")
    seen: list[str] = []
    for _ in range(47):
        run_until(account, account.now + DAY)
        status = account.need(subscription["id"], "subscription")["status"]
        seen += [status] if seen[-1:] != [status] else []
    assert seen == (["active", "past_due", ends] if ends != "past_due" else ["active", "past_due"])
    failed = [charge for charge in account.every("charge") if not charge["paid"]]
    days = [round((charge["created"] - failed[0]["created"]) / DAY) for charge in failed]
    assert days == [0, 3, 8, 15], "one attempt and three repetitions, after 3, 5 and 7 days"


def test_an_unpaid_subscription_is_not_charged_any_more(account: Account) -> None:
    account.settings.put("after_dunning", "unpaid")
    subscription = sign_up(account, "4000000000000341")
    run_until(account, account.now + 100 * DAY)
    assert account.need(subscription["id"], "subscription")["status"] == "unpaid"
    assert [invoice["status"] for invoice in account.every("invoice")] == ["paid", "open", "draft", "draft"]


def test_a_refused_checkout_keeps_the_failed_charge_and_nothing_else(account: Account) -> None:
    with pytest.raises(CardError, match="declined"):
        sign_up(account, "4000000000000002")
    assert [charge["status"] for charge in account.every("charge")] == ["failed"]
    assert account.every("subscription") == []
    assert account.every("customer") == []


def test_a_changed_price_takes_the_lookup_key_and_leaves_the_old_one_to_its_customers(account: Account) -> None:
    subscription = sign_up(account)
    changed = seed_catalogue(account, {"plans": {"starter": {"month": 2900}}})["prices"]["clawstack_starter_month"]
    old = subscription["items"]["data"][0]["price"]["id"]
    assert changed != old
    assert account.need(old, "price")["lookup_key"] is None
    assert account.need(old, "price")["active"]
    run_until(account, account.now + 32 * DAY)
    assert account.every("invoice")[-1]["total"] == 1900


@pytest.mark.parametrize("amount", ["1900", 19.0, -1, True, None])
def test_amounts_are_whole_cents(account: Account, amount: object) -> None:
    with pytest.raises(ValueError, match="whole number of cents"):
        seed_catalogue(account, {"plans": {"starter": {"month": amount}}})
