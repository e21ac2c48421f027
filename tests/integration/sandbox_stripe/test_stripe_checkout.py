"""From a checkout session to a cancelled subscription, as the product lives it."""

from __future__ import annotations

import httpx
import pytest
import stripe

from tests.integration.sandbox_stripe.world import DECLINED, GOOD, Json, Receiver, StandIn, new_session, subscribe


def test_a_person_pays_on_the_page_and_lands_on_the_success_address(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    session = new_session(client, prices["clawstack_starter_month"])
    assert session.url is not None
    page = httpx.get(session.url)
    assert "Starter" in page.text
    assert "19.00 USD" in page.text
    form = {"email": "ada@example.com", "cardNumber": "4242 4242 4242 4242", "cardExpiry": "12 / 34", "cardCvc": "123"}
    answer = httpx.post(session.url, data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"http://127.0.0.1/done?session={session.id}"
    assert "paid already" in httpx.get(session.url).text


def test_checkout_tells_the_whole_story_in_one_second(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    session = new_session(client, prices["clawstack_starter_month"], client_reference_id="ref-7")
    stand_in.control("pay", session=session.id, name="Ada")
    stand_in.flush()
    told = [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "checkout.session.completed",
    ]
    assert [kind for kind in receiver.types if kind in told] == told
    mine = [entry.event for entry in receiver.received if entry.type in told]
    assert len({event.created for event in mine}) == 1, "one operation, one second"
    completed = receiver.of("checkout.session.completed")[0]["data"]["object"]
    assert completed["metadata"] == {"signup_id": "s-1"}
    assert completed["client_reference_id"] == "ref-7"
    assert completed["payment_status"] == "paid"
    assert receiver.of("customer.subscription.created")[0]["data"]["object"]["status"] == "incomplete"
    updated = receiver.of("customer.subscription.updated")[0]["data"]
    assert updated["object"]["status"] == "active"
    assert updated["previous_attributes"] == {"status": "incomplete"}


def test_the_subscription_of_a_paid_session_has_the_shape_of_this_version(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_pro_month"])
    assert subscription.status == "active"
    assert subscription.metadata.to_dict() == {"signup_id": "s-1"}
    item = subscription["items"].data[0]
    assert item.price.lookup_key == "clawstack_pro_month"
    assert 28 <= (item.current_period_end - item.current_period_start) / 86400 <= 31
    assert not hasattr(subscription, "current_period_end"), "the period lives on the items since 2025-03-31.basil"
    assert subscription.latest_invoice is not None
    invoice = client.v1.invoices.retrieve(
        str(subscription.latest_invoice), {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 4900, "subscription_create")
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount == 4900


def test_a_declined_card_says_why_and_the_page_stays_open(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    session = new_session(client, prices["clawstack_starter_month"])
    assert session.url is not None
    refused = httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": DECLINED})
    assert refused.status_code == 402
    assert "Your card was declined." in refused.text
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    poor = httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": "4000000000009995"})
    assert "insufficient funds" in poor.text
    typo = httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": "4242424242424241"})
    assert "card number is incorrect" in typo.text
    real = httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": "4111111111111111"})
    assert "used a non test card" in real.text
    old = httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": GOOD, "cardExpiry": "10/26"})
    assert "in the past" in old.text
    stand_in.flush()
    failed = receiver.of("charge.failed")[0]["data"]["object"]
    assert (failed["failure_code"], failed["outcome"]["reason"]) == ("card_declined", "generic_decline")
    assert "customer.subscription.created" not in receiver.types
    assert httpx.post(session.url, data={"email": "ada@example.com", "cardNumber": GOOD}).status_code == 303


def test_a_session_is_paid_once_only(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    session = new_session(client, prices["clawstack_starter_month"])
    stand_in.control("pay", session=session.id)
    again = httpx.post(f"{stand_in.base}/_control/pay", json={"session": session.id})
    assert again.status_code == 400
    assert again.json()["error"]["code"] == "checkout_session_complete"
    paid = client.v1.checkout.sessions.retrieve(session.id)
    assert (
        client.v1.subscriptions.list({"customer": str(paid.customer), "status": "all"}).data[0].id == paid.subscription
    )
    assert len(client.v1.subscriptions.list({"customer": str(paid.customer), "status": "all"}).data) == 1


def test_a_known_customer_keeps_identity_and_address(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    customer = client.v1.customers.create({"email": "grace@example.com", "metadata": {"customer_id": "c-9"}})
    session = new_session(client, prices["clawstack_starter_year"], customer=customer.id)
    assert session.url is not None
    assert "grace@example.com" in httpx.get(session.url).text
    stand_in.control("pay", session=session.id)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer", "line_items"]})
    assert isinstance(paid.customer, stripe.Customer)
    assert paid.customer.id == customer.id
    assert paid.line_items is not None
    assert paid.line_items.data[0].price is not None
    assert paid.line_items.data[0].price.lookup_key == "clawstack_starter_year"


def test_an_expired_session_cannot_be_paid(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    session = new_session(client, prices["clawstack_starter_month"])
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    assert session.url is not None
    assert httpx.get(session.url).status_code == 410
    with pytest.raises(stripe.InvalidRequestError, match="Only Checkout Sessions"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_trial_starts_without_a_payment(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    session = new_session(
        client, prices["clawstack_starter_month"], subscription_data={"trial_period_days": 7, "metadata": {"a": "b"}}
    )
    assert session.amount_total == 0
    stand_in.control("pay", session=session.id)
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert paid.payment_status == "no_payment_required"
    assert isinstance(paid.subscription, stripe.Subscription)
    assert paid.subscription.status == "trialing"
    assert paid.subscription.trial_end == paid.subscription["items"].data[0].current_period_end


def test_cancelling_now_ends_the_subscription(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    ended = client.v1.subscriptions.cancel(subscription.id, {"cancellation_details": {"feedback": "too_expensive"}})
    assert ended.status == "canceled"
    assert ended.ended_at is not None
    stand_in.flush()
    told = receiver.of("customer.subscription.deleted")[0]
    assert told["data"]["object"]["id"] == subscription.id
    assert told["data"]["object"]["cancellation_details"]["feedback"] == "too_expensive"
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.subscriptions.cancel(subscription.id)
    assert (gone.value.http_status, gone.value.code) == (404, "resource_missing")


def test_a_product_with_two_prices_is_found_by_lookup_key(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    keys = ["clawstack_starter_month", "clawstack_pro_year"]
    found = client.v1.prices.list({"lookup_keys": keys, "active": True, "expand": ["data.product"]}).data
    assert {price.lookup_key for price in found} == set(keys)
    assert all(isinstance(price.product, stripe.Product) for price in found)
    assert stand_in.control("seed_catalogue", plans={"starter": {"month": 1900}})["prices"] == {
        "clawstack_starter_month": prices["clawstack_starter_month"]
    }, "seeding the same again changes nothing"
