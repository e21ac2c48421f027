"""`clawstack smoke` against a platform that somebody else started: bought, answered, cancelled, gone."""

from __future__ import annotations

import json

from stripe import StripeClient

from services.cli.demonstration.world import STRIPE_KEY


def test_smoke_buys_is_answered_cancels_and_sees_it_gone(world, observer):
    email = "smoke@example.com"
    told = json.loads(
        world.run(
            *("smoke", world.urls.platform, "--stripe-key", STRIPE_KEY, "--stripe-base", world.urls.stripe),
            *("--email", email, "--json"),
        )
    )
    assert told["ok"]
    assert [each["step"] for each in told["steps"]] == [
        "The platform serves its pages",
        "A sign-up over the public API",
        "Stripe's test card pays",
        "The assistant gets live",
        "Somebody writes to it, it answers",
        "The subscription is cancelled at Stripe",
        "The assistant is gone",
    ]
    stripe = StripeClient(STRIPE_KEY, base_addresses={"api": world.urls.stripe}).v1
    [customer] = stripe.customers.list({"email": email}).data
    [subscription] = stripe.subscriptions.list({"customer": customer.id, "status": "all"}).data
    assert subscription.status == "canceled"
    session = stripe.checkout.sessions.retrieve(told["steps"][1]["seen"])
    assert session.status == "expired"
    slug = observer.tenant_of_signup(subscription.metadata["signup_id"])
    assert observer.tenant(slug)["state"] == "deleted"
