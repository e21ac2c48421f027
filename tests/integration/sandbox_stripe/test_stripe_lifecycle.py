"""Months pass: renewals, failures, plan changes, overage, pauses, disputes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.integration.sandbox_stripe.world import (
    DECLINED,
    FAILS_LATER,
    GOOD,
    Json,
    Receiver,
    StandIn,
    given,
    subscribe,
)

DAY = 86_400


def statuses(receiver: Receiver, subscription: str) -> list[str]:
    """The subscription's status in every event about it, in order."""
    told = (entry.event.to_dict() for entry in receiver.received if entry.type.startswith("customer.subscription."))
    return [event["data"]["object"]["status"] for event in told if event["data"]["object"]["id"] == subscription]


def period(subscription: stripe.Subscription) -> tuple[int, int]:
    item = subscription["items"].data[0]
    return item.current_period_start, item.current_period_end


def test_a_month_later_the_subscription_is_renewed_and_paid(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    first_end = period(subscription)[1]
    stand_in.flush()
    receiver.received.clear()
    stand_in.control("advance_clock", to=first_end + 60)
    drafted = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert period(drafted)[0] == first_end
    assert isinstance(drafted.latest_invoice, stripe.Invoice)
    assert (drafted.latest_invoice.status, drafted.latest_invoice.billing_reason) == ("draft", "subscription_cycle")
    stand_in.control("advance_clock", seconds=3600)
    paid = client.v1.invoices.retrieve(drafted.latest_invoice.id)
    assert (paid.status, paid.amount_paid) == ("paid", 1900)
    assert paid.status_transitions.paid_at == first_end + 3600
    stand_in.flush()
    mine = [kind for kind in receiver.types if kind in ("invoice.created", "invoice.finalized", "invoice.paid")]
    assert mine == ["invoice.created", "invoice.finalized", "invoice.paid"]
    previous = receiver.of("customer.subscription.updated")[0]["data"]["previous_attributes"]
    assert previous["items"]["data"][0]["current_period_end"] == first_end


@pytest.mark.parametrize(("setting", "ends"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")])
def test_a_card_that_fails_later_leads_through_past_due_to_what_the_settings_say(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver, setting: str, ends: str
) -> None:
    stand_in.control("settings", after_dunning=setting, dunning_days=[1, 2])
    subscription = subscribe(stand_in, prices["clawstack_starter_month"], FAILS_LATER)
    assert subscription.status == "active", "the first payment, made on the page, succeeds"
    result = stand_in.control("renew", subscription=subscription.id)
    assert (result["subscription"]["status"], result["invoice"]["status"]) == ("past_due", "open")
    assert result["invoice"]["next_payment_attempt"] is not None
    stand_in.control("advance_clock", days=1.01)
    assert client.v1.invoices.retrieve(result["invoice"]["id"]).attempt_count == 2
    assert client.v1.subscriptions.retrieve(subscription.id).status == "past_due"
    stand_in.control("advance_clock", days=2.01)
    ended = client.v1.subscriptions.retrieve(subscription.id)
    assert ended.status == ends
    stand_in.flush()
    assert len(receiver.of("invoice.payment_failed")) == 3
    assert statuses(receiver, subscription.id)[-1] == ends
    if setting == "cancel":
        told = receiver.of("customer.subscription.deleted")[0]
        assert told["data"]["object"]["cancellation_details"]["reason"] == "payment_failed"
        assert told["request"]["id"] is None, "nobody asked for it"


def test_a_new_card_pays_the_open_invoice_and_heals_the_subscription(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"], FAILS_LATER)
    invoice = stand_in.control("renew", subscription=subscription.id)["invoice"]["id"]
    with pytest.raises(stripe.CardError, match="Your card was declined") as refused:
        client.v1.invoices.pay(invoice)
    assert refused.value.code == "card_declined"
    assert client.v1.invoices.retrieve(invoice).attempt_count == 2, "the refused attempt is on record"
    stand_in.control("set_card", customer=str(subscription.customer), card=GOOD)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert client.v1.invoices.retrieve(invoice).status == "paid"


def test_an_upgrade_in_the_middle_of_the_month_is_prorated_on_the_next_invoice(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    start, end = period(subscription)
    stand_in.control("advance_clock", to=start + (end - start) // 2)
    item = subscription["items"].data[0].id
    change: Any = {"items": [{"id": item, "price": prices["clawstack_pro_month"]}]}
    preview = client.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": change})
    changed = client.v1.subscriptions.update(subscription.id, change)
    assert changed["items"].data[0].id == item
    assert changed["items"].data[0].price.lookup_key == "clawstack_pro_month"
    assert period(changed) == (start, end)
    waiting = client.v1.invoice_items.list({"customer": str(subscription.customer), "pending": True}).data
    assert sorted(entry.amount for entry in waiting) == pytest.approx([-950, 2450], abs=2)
    stand_in.flush()
    told = receiver.of("customer.subscription.updated")[-1]["data"]
    assert told["previous_attributes"]["items"]["data"][0]["price"]["lookup_key"] == "clawstack_starter_month"
    result = stand_in.control("renew", subscription=subscription.id)
    assert result["invoice"]["total"] == pytest.approx(4900 + 2450 - 950, abs=2)
    assert preview.total == pytest.approx(result["invoice"]["total"], abs=2), (
        "the preview told the truth and changed nothing"
    )
    assert client.v1.invoice_items.list({"customer": str(subscription.customer), "pending": True}).data == []


def test_always_invoice_bills_the_difference_at_once(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    item = subscription["items"].data[0].id
    changed = client.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": item, "price": prices["clawstack_pro_month"]}],
            "proration_behavior": "always_invoice",
            "expand": ["latest_invoice"],
        },
    )
    assert isinstance(changed.latest_invoice, stripe.Invoice)
    assert (changed.latest_invoice.billing_reason, changed.latest_invoice.status) == ("subscription_update", "paid")
    assert changed.latest_invoice.total == 3000


def test_going_from_month_to_year_starts_a_year_now(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    item = subscription["items"].data[0].id
    changed = client.v1.subscriptions.update(
        subscription.id,
        {"items": [{"id": item, "price": prices["clawstack_starter_year"]}], "expand": ["latest_invoice"]},
    )
    start, end = period(changed)
    assert 365 * DAY <= end - start <= 366 * DAY
    assert isinstance(changed.latest_invoice, stripe.Invoice)
    assert changed.latest_invoice.total == 19000 - 1900


def test_a_downgrade_leaves_credit_for_the_next_invoice(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_pro_month"])
    item = subscription["items"].data[0].id
    client.v1.subscriptions.update(
        subscription.id,
        {"items": [{"id": item, "price": prices["clawstack_starter_month"]}], "proration_behavior": "always_invoice"},
    )
    assert client.v1.customers.retrieve(str(subscription.customer)).balance == -3000
    invoice = stand_in.control("renew", subscription=subscription.id)["invoice"]
    assert (invoice["total"], invoice["amount_due"], invoice["status"]) == (1900, 0, "paid")
    assert client.v1.customers.retrieve(str(subscription.customer)).balance == -1100


def test_a_refused_upgrade_can_be_undone_as_a_whole(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"], FAILS_LATER)
    item = subscription["items"].data[0].id
    with pytest.raises(stripe.CardError):
        client.v1.subscriptions.update(
            subscription.id,
            {
                "items": [{"id": item, "price": prices["clawstack_pro_month"]}],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
            },
        )
    same = client.v1.subscriptions.retrieve(subscription.id)
    assert same["items"].data[0].price.lookup_key == "clawstack_starter_month"
    assert same.latest_invoice == subscription.latest_invoice


def test_overage_joins_the_draft_of_the_renewal(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    draft = stand_in.control("renew", subscription=subscription.id, finalize=False)["invoice"]
    assert draft["status"] == "draft"
    client.v1.invoice_items.create(
        {
            "customer": str(subscription.customer),
            "invoice": draft["id"],
            "amount": 725,
            "currency": "usd",
            "description": "Tokens",
        }
    )
    stand_in.control("advance_clock", seconds=3700)
    paid = client.v1.invoices.retrieve(draft["id"])
    assert (paid.status, paid.amount_paid) == ("paid", 1900 + 725)
    lines = client.v1.invoices.line_items.list(draft["id"], {"limit": 1})
    assert [line.amount for line in lines.auto_paging_iter()] == [725, 1900]
    with pytest.raises(stripe.InvalidRequestError, match="no longer editable"):
        client.v1.invoice_items.create(
            {"customer": str(subscription.customer), "invoice": draft["id"], "amount": 1, "currency": "usd"}
        )


def test_a_manual_invoice_takes_the_waiting_items_and_is_paid(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    customer = str(subscribe(stand_in, prices["clawstack_starter_month"]).customer)
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
    client.v1.invoice_items.create({"customer": customer, "amount": 300, "currency": "usd", "description": "Extra"})
    invoice = client.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
    assert (invoice.status, invoice.total) == ("draft", 300)
    opened = client.v1.invoices.finalize_invoice(invoice.id)
    assert opened.number is not None
    assert client.v1.invoices.pay(invoice.id).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        client.v1.invoices.pay(invoice.id)


def test_cancelling_at_the_period_end_is_told_twice(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    end = period(subscription)[1]
    scheduled = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert (scheduled.status, scheduled.cancel_at_period_end, scheduled.cancel_at) == ("active", True, end)
    undone = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert (undone.cancel_at, undone.canceled_at) == (None, None)
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    stand_in.control("advance_clock", to=end + 1)
    ended = client.v1.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", end)
    stand_in.flush()
    assert statuses(receiver, subscription.id)[-1] == "canceled"
    assert len(client.v1.invoices.list({"subscription": subscription.id}).data) == 1, "no renewal was drafted"
    visible = {found.id for found in client.v1.subscriptions.list({"limit": 100}).auto_paging_iter()}
    assert subscription.id not in visible
    ended_ones = client.v1.subscriptions.list({"customer": str(subscription.customer), "status": "canceled"}).data
    assert [found.id for found in ended_ones] == [subscription.id]


def test_paused_collection_voids_renewals_until_it_resumes(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    paused = client.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    assert paused.status == "active"
    assert stand_in.control("renew", subscription=subscription.id)["invoice"]["status"] == "void"
    client.v1.subscriptions.update(subscription.id, {"pause_collection": ""})
    assert stand_in.control("renew", subscription=subscription.id)["invoice"]["status"] == "paid"


def test_pause_and_resume_have_events_of_their_own(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    assert client.v1.subscriptions.pause(subscription.id).status == "paused"
    assert client.v1.subscriptions.resume(subscription.id).status == "active"
    stand_in.flush()
    assert len(receiver.of("customer.subscription.paused")) == 1
    assert len(receiver.of("customer.subscription.resumed")) == 1


def test_a_trial_that_ends_is_billed(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.payment_methods.list({"customer": customer.id}).data[0]
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": prices["clawstack_starter_month"]}], "trial_period_days": 7}
    )
    assert subscription.status == "trialing"
    stand_in.control("advance_clock", days=7.1)
    running = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert running.status == "active"
    assert isinstance(running.latest_invoice, stripe.Invoice)
    assert running.latest_invoice.amount_paid == 1900


def test_a_subscription_without_a_good_card_stays_incomplete_and_expires(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    customer = client.v1.customers.create({})
    method = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
    wanted: Any = {
        "customer": customer.id,
        "items": [{"price": prices["clawstack_starter_month"]}],
        "default_payment_method": method.id,
    }
    with pytest.raises(stripe.CardError):
        client.v1.subscriptions.create(given(**wanted, payment_behavior="error_if_incomplete"))
    assert client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data == []
    subscription = client.v1.subscriptions.create(wanted)
    assert subscription.status == "incomplete"
    stand_in.control("advance_clock", seconds=23 * 3600 + 60)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"
    with pytest.raises(stripe.CardError):
        client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id})


def test_a_dispute_leads_back_to_its_invoice(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_pro_month"])
    stand_in.control("dispute", subscription=subscription.id, reason="fraudulent")
    stand_in.flush()
    dispute = receiver.of("charge.dispute.created")[0]["data"]["object"]
    assert (dispute["amount"], dispute["status"], dispute["reason"]) == (4900, "needs_response", "fraudulent")
    links = client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": dispute["payment_intent"]}}
    ).data
    assert [link.invoice for link in links] == [subscription.latest_invoice]
    charge = client.v1.charges.retrieve(dispute["charge"])
    assert charge.disputed
    assert charge.customer == subscription.customer
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.v1.refunds.create({"charge": charge.id})
    assert stand_in.control("dispute/close", dispute=dispute["id"], status="won")["status"] == "won"


def test_a_refund_pays_back_what_was_paid_and_no_more(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    charge = client.v1.charges.list({"customer": str(subscription.customer)}).data[0]
    assert client.v1.refunds.create({"charge": charge.id, "amount": 900}).amount == 900
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"charge": charge.id, "amount": 1001})
    client.v1.refunds.create({"payment_intent": str(charge.payment_intent)})
    assert client.v1.charges.retrieve(charge.id).refunded
    stand_in.flush()
    assert len(receiver.of("charge.refunded")) == 2


def test_metered_usage_is_billed_at_the_end_of_the_period(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    meter = client.v1.billing.meters.create(
        {"display_name": "Turns", "event_name": "turns", "default_aggregation": {"formula": "sum"}}
    )
    price = client.v1.prices.create(
        {
            "product": "clawstack_pro",
            "currency": "usd",
            "unit_amount": 3,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
        }
    )
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    client.v1.subscriptions.update(subscription.id, {"items": [{"price": price.id}], "proration_behavior": "none"})
    payload: Any = {"stripe_customer_id": str(subscription.customer), "value": "40"}
    client.v1.billing.meter_events.create({"event_name": "turns", "payload": payload, "identifier": "usage-1"})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.billing.meter_events.create({"event_name": "turns", "payload": payload, "identifier": "usage-1"})
    result = stand_in.control("renew", subscription=subscription.id)
    assert result["invoice"]["total"] == 1900 + 40 * 3
    stand_in.control("advance_clock", days=1.1)
    again: Any = {"event_name": "turns", "payload": payload, "identifier": "usage-1"}
    assert client.v1.billing.meter_events.create(again).identifier == "usage-1", (
        "the window is a day: the metering trap"
    )


def test_an_invoice_page_takes_another_card(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"], FAILS_LATER)
    invoice = stand_in.control("renew", subscription=subscription.id)["invoice"]
    address = invoice["hosted_invoice_url"]
    assert "19.00 USD" in httpx.get(address).text
    assert "declined" in httpx.post(address, data={"cardNumber": DECLINED}).text
    assert httpx.post(address, data={"cardNumber": GOOD}).status_code == 303
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
