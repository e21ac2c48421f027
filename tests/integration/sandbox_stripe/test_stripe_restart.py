"""kill -9, then the same folder again: nothing that was answered is lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox_stripe.world import SECRET, Receiver, StandIn, new_session, seed, subscribe


@pytest.fixture
def stand_in(data: Path) -> Iterator[StandIn]:
    """On a port that stays the same over restarts, as addresses of pages contain it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = StandIn(data, port).start()
    yield made
    made.stop()


def test_everything_survives_a_kill(stand_in: StandIn, receiver: Receiver) -> None:
    stand_in.control("webhook", url=receiver.url, secret=SECRET)
    prices = seed(stand_in)
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    client = stand_in.client()
    stand_in.control("advance_clock", days=3)
    open_session = new_session(client, prices["clawstack_pro_month"])
    key: Any = {"idempotency_key": "before-the-kill"}
    customer = client.v1.customers.create({"email": "kept@example.com"}, key)
    stand_in.control("hostile", duplicate=2, seed=5)
    events = [event.id for event in client.v1.events.list({"limit": 50}).data]
    stand_in.kill()
    stand_in.start()
    client = stand_in.client()
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert [event.id for event in client.v1.events.list({"limit": 50}).data] == events
    again = client.v1.customers.create({"email": "kept@example.com"}, key)
    assert again.id == customer.id
    state = stand_in.look("state")
    assert (state["hostile"]["duplicate"], state["clock_offset"]) == (2, 3 * 86_400)
    stand_in.control("hostile")
    stand_in.control("advance_clock", days=28)
    assert client.v1.checkout.sessions.retrieve(open_session.id).status == "expired"
    assert len(client.v1.invoices.list({"subscription": subscription.id}).data) == 2


def test_webhooks_that_were_waiting_go_out_after_the_restart(stand_in: StandIn, receiver: Receiver) -> None:
    stand_in.control("webhook", url=receiver.url, secret=SECRET)
    stand_in.control("hostile", delay_ms=[60_000, 60_000])
    customer = stand_in.client().v1.customers.create({"email": "late@example.com"})
    stand_in.kill()
    assert receiver.received == []
    stand_in.start()
    stand_in.flush()
    assert [event["data"]["object"]["id"] for event in receiver.of("customer.created")] == [customer.id]


def test_a_request_killed_in_the_middle_leaves_all_or_nothing(stand_in: StandIn) -> None:
    """The answer of a payment is spoiled after its effect and the process killed: the retry must find one effect."""
    prices = seed(stand_in)
    client = stand_in.client(max_network_retries=0)
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})
    method = client.v1.payment_methods.list({"customer": customer.id}).data[0]
    wanted: Any = {
        "customer": customer.id,
        "items": [{"price": prices["clawstack_starter_month"]}],
        "default_payment_method": method.id,
    }
    key: Any = {"idempotency_key": "subscribe-once"}
    stand_in.control("fail", kind="reset", match="POST /v1/subscriptions", after_effect=True)
    with pytest.raises(Exception, match="Unexpected error communicating with Stripe"):
        client.v1.subscriptions.create(wanted, key)
    stand_in.kill()
    stand_in.start()
    client = stand_in.client()
    assert len(client.v1.subscriptions.list({"customer": customer.id}).data) == 1, "it took effect before it was lost"
    retried = client.v1.subscriptions.create(wanted, key)
    found = client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data
    assert [subscription.id for subscription in found] == [retried.id]
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1
