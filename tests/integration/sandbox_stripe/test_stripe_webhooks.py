"""Delivery: signed, retried, recorded, and as hostile as ordered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.integration.sandbox_stripe.world import SECRET, Json, Receiver, StandIn, subscribe


def burst(client: stripe.StripeClient, count: int) -> list[str]:
    """Emits `count` customer.created; returns the customers in their order."""
    return [client.v1.customers.create({"metadata": {"n": str(number)}}).id for number in range(count)]


def told(receiver: Receiver) -> list[str]:
    return [event["data"]["object"]["id"] for event in receiver.of("customer.created")]


def test_the_official_library_accepts_the_signature_and_no_other_secret(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.customers.create({"email": "signed@example.com"})
    stand_in.flush()
    got = receiver.received[0]
    event = stripe.Webhook.construct_event(got.body, got.signature, SECRET)
    assert event.type == "customer.created"
    assert event.api_version == "2026-10-28.endive"
    assert event.pending_webhooks == 1
    assert event.request is not None
    assert str(event.request.id).startswith("req_")
    for body, secret in ((got.body, "whsec_other"), (got.body.replace(b"signed@", b"forged@"), SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, got.signature, secret)


def test_a_500_is_tried_again_until_it_succeeds_and_every_attempt_is_recorded(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 503, 302]
    client.v1.customers.create({"email": "retry@example.com"})
    stand_in.flush()
    assert len(receiver.received) == 4
    assert len({entry.body for entry in receiver.received}) == 1, "every attempt carries the same body"
    event = receiver.received[0].event
    delivery = stand_in.look("deliveries", event=event.id)["data"][0]
    assert delivery["state"] == "delivered"
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 503, 302, 200]
    assert client.v1.events.retrieve(event.id).pending_webhooks == 0


def test_a_delivery_that_never_succeeds_is_given_up_and_its_event_stays_listed(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500] * 20
    customer = client.v1.customers.create({"email": "lost@example.com"})
    stand_in.flush()
    newest = client.v1.events.list({"type": "customer.created", "limit": 1}).data[0]
    assert newest.data.object["id"] == customer.id
    delivery = stand_in.look("deliveries", event=newest.id)["data"][0]
    assert delivery["state"] == "failed"
    assert len(delivery["attempts"]) == len(receiver.received) == 9, "one attempt and eight repetitions"


def test_nobody_listening_is_an_attempt_too(stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver) -> None:
    receiver.close()
    client.v1.customers.create({})
    stand_in.flush()
    newest = stand_in.look("deliveries", limit=1)["data"][0]
    assert newest["state"] == "failed"
    assert "ClientConnectorError" in newest["attempts"][0]["error"]


def test_calm_traffic_keeps_the_order(stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver) -> None:
    made = burst(client, 12)
    stand_in.flush()
    assert told(receiver) == made


def test_duplicates_arrive_as_often_as_ordered(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    stand_in.control("hostile", duplicate=3, seed=1)
    made = burst(client, 4)
    stand_in.flush()
    assert sorted(told(receiver)) == sorted(made * 3)
    assert len({entry.event.id for entry in receiver.received}) == 4, "a duplicate has the same event id"


def test_reordering_changes_the_order_and_loses_nothing(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver, prices: Json
) -> None:
    stand_in.control("hostile", reorder=True, seed=7)
    subscribe(stand_in, prices["clawstack_starter_month"])
    stand_in.flush()
    calm = [event.id for event in client.v1.events.list({"limit": len(receiver.received)}).data][::-1]
    got = [entry.event.id for entry in receiver.received]
    assert sorted(got) == sorted(calm)
    assert got != calm


def test_the_same_seed_gives_the_same_mischief(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    patterns = []
    for _ in range(2):
        receiver.received.clear()
        stand_in.control("hostile", drop=0.5, seed=3)
        made = burst(client, 12)
        stand_in.flush()
        patterns.append([made.index(customer) for customer in told(receiver)])
    assert patterns[0] == patterns[1]
    assert 0 < len(patterns[0]) < 12


def test_a_dropped_event_is_never_sent_but_can_be_listed(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    stand_in.control("hostile", drop=1.0)
    made = burst(client, 3)
    stand_in.flush()
    assert receiver.received == []
    assert {delivery["state"] for delivery in stand_in.look("deliveries", limit=3)["data"]} == {"dropped"}
    swept = client.v1.events.list({"type": "customer.created", "limit": 3}).data
    assert [event.data.object["id"] for event in swept] == made[::-1]


def test_delays_hold_events_back(stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver) -> None:
    stand_in.control("hostile", delay_ms=[300, 300])
    customer = client.v1.customers.create({})
    stand_in.control("flush", timeout=10, hurry=False)
    entry = stand_in.look("requests", limit=1)["data"][0]
    assert told(receiver) == [customer.id]
    assert receiver.received[0].at - entry["at"] >= 0.25


def test_forged_and_stale_copies_are_what_a_receiver_must_refuse(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    stand_in.control("hostile", bad_signature=1.0, stale_signature=1.0)
    receiver.answers = [400, 400]
    client.v1.customers.create({})
    stand_in.flush()
    verdicts: list[str] = []
    for entry in receiver.received:
        try:
            verdicts.append(entry.event.type)
        except stripe.SignatureVerificationError as refused:
            verdicts.append(str(refused).split(".")[0])
    assert verdicts[0].startswith("No signatures found matching")
    assert verdicts[1].startswith("Timestamp outside the tolerance zone")
    assert verdicts[2] == "customer.created"
    states = [delivery["state"] for delivery in stand_in.look("deliveries", limit=3)["data"]]
    assert states == ["delivered", "refused", "refused"]


def test_an_answer_that_is_lost_makes_the_event_come_again(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    stand_in.control("hostile", lose_answer=1.0)
    client.v1.customers.create({})
    stand_in.flush()
    assert len(receiver.received) == 9
    attempts = stand_in.look("deliveries", limit=1)["data"][0]["attempts"]
    assert all("lose_answer" in attempt["note"] for attempt in attempts)


def test_hostile_settings_that_make_no_sense_are_refused(stand_in: StandIn) -> None:
    for nonsense in ({"drop": 2}, {"duplicate": 0}, {"delay_ms": [5, 1]}, {"chaos": True}):
        answer = httpx.post(f"{stand_in.base}/_control/hostile", json=nonsense)
        assert answer.status_code == 400, nonsense
    assert stand_in.look("hostile")["drop"] == 0


def test_an_old_event_can_be_resent(stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver) -> None:
    client.v1.customers.create({})
    stand_in.flush()
    event = receiver.received[0].event
    stand_in.control("resend", event=event.id, times=2)
    stand_in.flush()
    assert [entry.event.id for entry in receiver.received] == [event.id] * 3


def test_an_endpoint_gets_only_the_types_it_asked_for(
    stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver
) -> None:
    made = client.v1.webhook_endpoints.create({"url": f"{receiver.url}/second", "enabled_events": ["product.created"]})
    assert made.secret is not None
    client.v1.products.create({"name": "Told twice"})
    client.v1.customers.create({})
    stand_in.flush()
    assert sorted(receiver.types) == ["customer.created", "product.created", "product.created"]
    second = next(entry for entry in receiver.received if _signed(entry.body, entry.signature, made.secret))
    assert second.type == "product.created"
    client.v1.webhook_endpoints.delete(made.id)


def _signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        stripe.Webhook.construct_event(body, signature, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


def test_events_are_listed_by_type_wildcard_and_time(stand_in: StandIn, client: stripe.StripeClient) -> None:
    client.v1.products.create({"name": "Listed"})
    newest = client.v1.events.list({"type": "product.*", "limit": 1}).data[0]
    assert newest.data.object["name"] == "Listed"
    assert client.v1.events.list({"types": ["product.created", "price.created"], "limit": 1}).data[0].id == newest.id
    later = client.v1.events.list({"created": {"gt": newest.created + 60}}).data
    assert later == []
    same = client.v1.events.list({"created": {"gte": newest.created, "lte": newest.created}, "limit": 100}).data
    assert newest.id in {event.id for event in same}


def test_the_list_of_events_can_lag_behind_and_ends_after_thirty_days(
    stand_in: StandIn, client: stripe.StripeClient
) -> None:
    stand_in.control("hostile", events_lag=60)
    product = client.v1.products.create({"name": "Late"})
    wanted: Any = {"type": "product.created", "limit": 100}
    listed = [event.data.object["id"] for event in client.v1.events.list(wanted).data]
    assert product.id not in listed
    stand_in.control("advance_clock", seconds=61)
    assert client.v1.events.list(wanted).data[0].data.object["id"] == product.id
    stand_in.control("advance_clock", days=30)
    assert client.v1.events.list(wanted).data == []


def test_any_event_at_all_can_be_sent(stand_in: StandIn, client: stripe.StripeClient, receiver: Receiver) -> None:
    customer = client.v1.customers.create({})
    stand_in.control("emit", type="customer.tax_id.created", id=customer.id)
    stand_in.control("emit", type="invented.by.tomorrow", object={"id": "x_1", "object": "x"})
    stand_in.flush()
    assert receiver.types[-2:] == ["customer.tax_id.created", "invented.by.tomorrow"]
