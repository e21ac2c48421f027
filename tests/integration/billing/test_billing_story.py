"""A payment, from checkout to a tenant that wants to run, and everything that may become of it."""

from __future__ import annotations

import asyncio

import pytest

from clawstack.vocabulary import Desired
from services.business.billing.decisions import GRACE
from services.business.billing.entitlement import entitlement_of
from services.business.tenants.desired import set_desired
from tests.integration.billing.world import (
    DECLINED,
    World,
    cancel,
    change_price,
    customer_of,
    price_id,
    stripe_client,
    sweep,
)


async def test_a_paid_checkout_becomes_one_pending_tenant(fresh_world: World) -> None:
    world = fresh_world
    signup_id = await world.buy()
    await world.work()
    (tenant,) = await world.tenants()
    signup = await world.signup(signup_id)
    assert (tenant.plan, tenant.bundle, tenant.state, tenant.desired_state) == (
        "starter",
        "parenting",
        "pending",
        "running",
    )
    assert tenant.answers == {"child_name": "Emma", "child_birthday": "2025-09-14"}
    assert (signup.tenant_id, signup.customer_id) == (tenant.id, tenant.customer_id)
    assert signup.paid_at is not None
    assert len(await world.jobs("provisioner.reconcile")) == 1
    assert {event.outcome for event in await world.events()} <= {"refetched", "ignored"}
    assert all(event.handled_at is not None for event in await world.events())
    (subscription,) = await world.subscriptions()
    assert (subscription.signup_id, subscription.tenant_id, subscription.period) == (signup_id, tenant.id, "month")
    assert "emma" not in tenant.slug
    assert "parent" not in tenant.slug.removeprefix("parenting")


async def test_a_declined_card_makes_nothing(fresh_world: World) -> None:
    world = fresh_world
    signup_id, session = await world.order()
    answer = await world.outside.post(
        f"{world.stand_in.base}/_control/pay", json={"session": session, "card": DECLINED}
    )
    assert answer.status_code == 402
    await world.control("flush", timeout=20)
    await world.work()
    assert await world.tenants() == []
    assert (await world.signup(signup_id)).paid_at is None
    status = (await world.http.get(f"/v1/checkout/{signup_id}")).json()
    assert (status["stage"], status["chat_url"]) == ("unpaid", None)
    assert status["checkout_url"].startswith(world.stand_in.base)


async def test_cancelling_ends_absent_and_stays_so(fresh_world: World) -> None:
    world = fresh_world
    signup_id = await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    await world.control("settings", after_dunning="cancel")
    await cancel(world, subscription.id)
    await world.work()
    (tenant,) = await world.tenants()
    assert tenant.desired_state == "absent"
    assert (await world.http.get(f"/v1/checkout/{signup_id}")).json()["checkout_url"] is None


@pytest.mark.parametrize(
    ("ending", "states"),
    [("past_due", ["running", "running"]), ("unpaid", ["running", "suspended"]), ("cancel", ["running", "absent"])],
)
async def test_a_failing_renewal_is_grace_first_and_then_what_stripe_is_set_to(
    fresh_world: World, ending: str, states: list[str]
) -> None:
    world = fresh_world
    await world.control("settings", after_dunning=ending, dunning_days=[1])
    await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    stripe_customer = await customer_of(world, subscription.id)
    await world.control("set_card", customer=stripe_customer, card="4000000000000341")
    await world.control("renew", subscription=subscription.id)
    await world.control("flush", timeout=20)
    await world.work()
    (subscription,) = await world.subscriptions()
    assert (subscription.status, subscription.wanted_reason) == ("past_due", GRACE)
    seen = [(await world.tenants())[0].desired_state]
    await world.control("advance_clock", days=8)
    await world.control("flush", timeout=20)
    await world.work()
    seen.append((await world.tenants())[0].desired_state)
    assert seen == states
    async with world.platform.database.transaction() as session:
        entitlement = await entitlement_of(session, (await world.tenants())[0].id)
    assert entitlement.allowed == (states[-1] == "running")


async def test_a_dispute_suspends_and_a_won_one_resumes(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    dispute = await world.control("dispute", subscription=subscription.id)
    await world.control("flush", timeout=20)
    await world.work()
    assert (await world.tenants())[0].desired_state == "suspended"
    assert (await world.subscriptions())[0].disputed_at is not None
    await world.control("dispute/close", dispute=dispute["id"], status="won")
    await world.control("flush", timeout=20)
    await sweep(world)
    (tenant,) = await world.tenants()
    assert (tenant.desired_state, tenant.desired_reason) == ("running", "")


async def test_an_unknown_price_is_no_free_upgrade(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (before,) = await world.subscriptions()
    strange = await world.control("seed_catalogue", plans={"gold": {"month": 1}})
    await change_price(world, before.id, strange["prices"]["clawstack_gold_month"])
    await world.work()
    (tenant,), (subscription,) = await world.tenants(), await world.subscriptions()
    assert (tenant.plan, tenant.desired_state, tenant.generation) == ("starter", "running", 1)
    assert (subscription.attention, subscription.plan) == ("unknown_price", None)
    assert "unknown_price" in {event.outcome for event in await world.events()}


async def test_a_bought_upgrade_changes_the_plan_and_nothing_else(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (before,) = await world.subscriptions()
    await change_price(world, before.id, await price_id(world, "clawstack_pro_month"))
    await world.work()
    (tenant,) = await world.tenants()
    assert (tenant.plan, tenant.desired_state, tenant.generation) == ("pro", "running", 2)


async def test_an_operators_suspension_outlives_a_refetch(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (tenant,), (subscription,) = await world.tenants(), await world.subscriptions()
    async with world.platform.database.transaction() as session:
        await set_desired(session, tenant.id, state=Desired.SUSPENDED, reason="operator")
    await world.control("emit", type="customer.subscription.updated", id=subscription.id)
    await world.control("flush", timeout=20)
    await world.work()
    assert (await world.tenants())[0].desired_state == "suspended"


async def test_the_session_names_the_signup_when_the_subscription_lacks_it(fresh_world: World) -> None:
    world = fresh_world
    signup_id, session = await world.order()
    await world.control("hostile", drop=1.0)
    await world.control("pay", session=session)
    await world.control("flush", timeout=20)
    client = stripe_client(world)
    paid = client.v1.checkout.sessions.retrieve(session)
    client.v1.subscriptions.update(str(paid.subscription), {"metadata": ""})
    await world.control("hostile", duplicate=1)
    await world.control("emit", type="checkout.session.completed", id=session)
    await world.control("flush", timeout=20)
    await world.work()
    assert (await world.signup(signup_id)).tenant_id == (await world.tenants())[0].id


async def test_a_customer_deleted_at_stripe_ends_absent(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    customer = await customer_of(world, subscription.id)
    await asyncio.to_thread(stripe_client(world).v1.customers.delete, customer)
    await world.control("flush", timeout=20)
    await world.work()
    assert [row.status for row in await world.subscriptions()] == ["canceled"]
    assert (await world.tenants())[0].desired_state == "absent"
