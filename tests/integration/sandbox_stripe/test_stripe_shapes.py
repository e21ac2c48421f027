"""Every object the stand-in answers or sends has the shape that the official library's types declare."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.integration.sandbox_stripe.shapes import faults
from tests.integration.sandbox_stripe.world import DECLINED, KEY, Json, Receiver, StandIn, new_session, subscribe

LISTINGS = (
    "customers", "products", "prices", "checkout/sessions", "subscriptions?status=all", "invoices", "invoiceitems", "invoice_payments",
    "payment_intents", "charges", "refunds", "disputes", "billing_portal/configurations", "billing/meters", "events",
    "webhook_endpoints", "payment_methods",
)  # fmt: skip


def live_a_little(stand_in: StandIn, prices: Json) -> None:
    """Leaves at least one object of every kind, in more than one state."""
    client = stand_in.client()
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    customer = str(subscription.customer)
    item = subscription["items"].data[0].id
    refused = new_session(client, prices["clawstack_starter_month"])
    httpx.post(str(refused.url), data={"email": "x@example.com", "cardNumber": DECLINED})
    client.v1.subscriptions.update(subscription.id, {"items": [{"id": item, "price": prices["clawstack_pro_month"]}]})
    client.v1.invoice_items.create({"customer": customer, "amount": 250, "currency": "usd", "description": "Overage"})
    client.v1.invoice_items.create({"customer": customer, "pricing": {"price": prices["clawstack_pro_month"]}})
    stand_in.control("renew", subscription=subscription.id)
    client.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    client.v1.subscriptions.pause(subscription.id)
    client.v1.billing_portal.sessions.create({"customer": customer})
    client.v1.billing.meters.create(
        {"display_name": "Tokens", "event_name": f"tokens of {customer}", "default_aggregation": {"formula": "sum"}}
    )
    charges = client.v1.charges.list({"customer": customer}).data
    client.v1.refunds.create({"charge": charges[0].id, "amount": 100})
    stand_in.control("dispute", charge=charges[1].id)
    client.v1.subscriptions.cancel(subscribe(stand_in, prices["clawstack_pro_year"]).id)


def test_everything_listed_has_the_librarys_shape(stand_in: StandIn, prices: Json) -> None:
    live_a_little(stand_in, prices)
    wrong: list[str] = []
    kinds: set[str] = set()
    for name in LISTINGS:
        joint = "&" if "?" in name else "?"
        answer = httpx.get(f"{stand_in.base}/v1/{name}{joint}limit=100", headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200, answer.text
        found = answer.json()["data"]
        assert found, f"nothing to check in {name}"
        for body in found:
            kinds.add(body["object"])
            wrong += faults(body)
    assert not wrong, "\n".join(sorted(set(wrong)))
    assert len(kinds) == len(LISTINGS)


def test_answers_that_are_not_listed_have_the_librarys_shape(stand_in: StandIn, prices: Json) -> None:
    client = stand_in.client()
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    customer = str(subscription.customer)
    client.v1.billing.meters.create(
        {"display_name": "Words", "event_name": "words", "default_aggregation": {"formula": "sum"}}
    )
    usage: Any = {"event_name": "words", "payload": {"stripe_customer_id": customer, "value": "3"}}
    portal: Any = {
        "customer": customer,
        "flow_data": {"type": "subscription_cancel", "subscription_cancel": {"subscription": subscription.id}},
    }
    answers = [
        client.v1.billing_portal.sessions.create(portal),
        client.v1.billing.meter_events.create(usage),
        client.v1.invoices.create_preview({"customer": customer, "subscription": subscription.id}),
        client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/x", "enabled_events": ["invoice.paid"]}),
    ]
    client.v1.webhook_endpoints.delete(answers[-1].id)  # type: ignore[attr-defined]
    assert [fault for answer in answers for fault in faults(json.loads(str(answer)))] == []


def test_what_webhooks_carry_has_the_librarys_shape(stand_in: StandIn, prices: Json, receiver: Receiver) -> None:
    live_a_little(stand_in, prices)
    stand_in.flush()
    wrong = {fault for entry in receiver.received for fault in faults(json.loads(entry.body)["data"]["object"])}
    assert not wrong, "\n".join(sorted(wrong))
    assert len(set(receiver.types)) > 25
