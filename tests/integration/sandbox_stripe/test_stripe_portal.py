"""The billing portal, used like a person uses it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from tests.integration.sandbox_stripe.world import DECLINED, FAILS_LATER, GOOD, Json, Receiver, StandIn, subscribe


class Person:
    """Somebody with a portal link."""

    def __init__(self, client: stripe.StripeClient, subscription: stripe.Subscription, **more: object) -> None:
        self.subscription = subscription.id
        params: Any = {"customer": str(subscription.customer), "return_url": "http://127.0.0.1/account", **more}
        self.url = client.v1.billing_portal.sessions.create(params).url

    def page(self) -> str:
        return httpx.get(self.url).text

    def does(self, action: str, **form: str) -> httpx.Response:
        return httpx.post(self.url, data={"action": action, "subscription": self.subscription, **form})


def test_the_page_shows_plan_state_card_and_invoices(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    person = Person(client, subscribe(stand_in, prices["clawstack_starter_month"]))
    page = person.page()
    for words in ("Starter", "19.00 USD", "Renews on", "visa ending in 4242", "http://127.0.0.1/account", "paid"):
        assert words in page
    assert httpx.get(person.url[:-5] + "xxxxx").status_code == 404, "the link is the secret"


def test_cancelling_sets_cancel_at_only_as_flexible_billing_does(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    person = Person(client, subscription)
    assert person.does("cancel", feedback="too_expensive").status_code == 303
    scheduled = client.v1.subscriptions.retrieve(subscription.id)
    end = scheduled["items"].data[0].current_period_end
    assert (scheduled.status, scheduled.cancel_at, scheduled.cancel_at_period_end) == ("active", end, False)
    assert "Ends on" in person.page()
    assert person.does("keep").status_code == 303
    assert client.v1.subscriptions.retrieve(subscription.id).cancel_at is None
    person.does("cancel")
    stand_in.control("advance_clock", to=end + 1)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    stand_in.flush()
    told = [entry.event.to_dict() for entry in receiver.received if entry.type.startswith("customer.subscription.")]
    mine = [event for event in told if event["data"]["object"]["id"] == subscription.id]
    kinds = [event["type"].removeprefix("customer.subscription.") for event in mine]
    assert kinds == ["created", "updated", "updated", "updated", "updated", "deleted"]
    feedback = mine[2]["data"]["object"]["cancellation_details"]
    assert feedback == {"comment": None, "feedback": "too_expensive", "reason": "cancellation_requested"}


def test_a_classic_subscription_gets_both_marks(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    customer = client.v1.customers.create({})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    subscription = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": prices["clawstack_starter_month"]}],
            "default_payment_method": method.id,
            "billing_mode": {"type": "classic"},
        }
    )
    Person(client, subscription).does("cancel")
    scheduled = client.v1.subscriptions.retrieve(subscription.id)
    assert scheduled.cancel_at_period_end
    assert scheduled.cancel_at is not None


def test_a_configuration_can_cancel_at_once_and_take_features_away(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, receiver: Receiver
) -> None:
    configuration = client.v1.billing_portal.configurations.create(
        {"features": {"subscription_cancel": {"enabled": True, "mode": "immediately"}}}
    )
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    person = Person(client, subscription, configuration=configuration.id)
    page = person.page()
    assert "Cancel now" in page
    assert "New card number" not in page
    assert "not possible here" in person.does("card", cardNumber=GOOD).text
    person.does("cancel")
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    stand_in.flush()
    assert len(receiver.of("customer.subscription.deleted")) == 1


def test_the_plan_can_be_changed(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    person = Person(client, subscription)
    assert person.does("change", price=prices["clawstack_pro_month"]).status_code == 303
    changed = client.v1.subscriptions.retrieve(subscription.id)
    assert changed["items"].data[0].price.lookup_key == "clawstack_pro_month"
    refused = person.does("change", price=prices["clawstack_pro_month"])
    assert "not on offer" in refused.text, "the plan one has is no choice"


def test_a_new_card_heals_a_failed_renewal(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"], FAILS_LATER)
    stand_in.control("renew", subscription=subscription.id)
    person = Person(client, subscription)
    assert "The last payment failed" in person.page()
    assert "Your card was declined." in person.does("card", cardNumber=DECLINED).text
    assert person.does("card", cardNumber="5555 5555 5555 4444").status_code == 303
    assert "mastercard ending in 4444" in person.page()
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_a_deep_link_returns_where_it_was_told(stand_in: StandIn, client: stripe.StripeClient, prices: Json) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    flow = {
        "type": "subscription_cancel",
        "subscription_cancel": {"subscription": subscription.id},
        "after_completion": {"type": "redirect", "redirect": {"return_url": "http://127.0.0.1/bye"}},
    }
    assert Person(client, subscription, flow_data=flow).does("cancel").headers["location"] == "http://127.0.0.1/bye"
    flow["subscription_cancel"] = {"subscription": "sub_other"}
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        Person(client, subscription, flow_data=flow)


def test_nobody_touches_another_persons_subscription(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json
) -> None:
    mine, other = (subscribe(stand_in, prices["clawstack_starter_month"]) for _ in range(2))
    answer = Person(client, mine).does("cancel", subscription=other.id)
    assert "not your subscription" in answer.text
    assert client.v1.subscriptions.retrieve(other.id).cancel_at is None
