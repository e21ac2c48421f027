"""What the world does to events: order, repetition, loss; and what Stripe does when it is unwell."""

from __future__ import annotations

import asyncio
import random

import pytest
import stripe
from sqlalchemy import update

from services.business.billing import repository
from services.business.billing.stripe_access import StripeAccess
from services.business.billing.stripe_reader import StripeReader
from services.run.parts.billing import create_billing
from services.tables.billing import Subscription
from services.tables.tenants import Tenant
from tests.integration.billing.world import ORDER, World, cancel, customer_of, event, stripe_client, sweep


async def picture(world: World) -> list[tuple[object, ...]]:
    """Everything that billing decided, without what differs from run to run."""
    tenants = {tenant.id: tenant for tenant in await world.tenants()}
    return [
        (row.id, row.status, row.wanted, row.plan, row.tenant_id and tenants[row.tenant_id].desired_state)
        for row in await world.subscriptions()
    ]


async def test_deleted_before_created_ends_absent(fresh_world: World) -> None:
    world = fresh_world
    signup_id, session = await world.order()
    await world.control("hostile", drop=1.0)
    await world.control("pay", session=session)
    client_session = await world.control("flush", timeout=20)
    assert client_session["idle"]
    listed = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    await cancel(world, listed["subscription"])
    await world.control("hostile", duplicate=1)
    customer = listed["customer"]
    await world.post_event(event("customer.subscription.deleted", id="evt_deleted", customer=customer))
    await world.work()
    await world.post_event(event("customer.subscription.created", id="evt_created", customer=customer))
    await world.work()
    assert await world.tenants() == []
    assert [(row.status, row.wanted) for row in await world.subscriptions()] == [("canceled", "absent")]
    status = (await world.http.get(f"/v1/checkout/{signup_id}")).json()
    assert status["stage"] == "ended"


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm_of_duplicates_in_any_order_ends_like_one_refetch(fresh_world: World, seed: int) -> None:
    world = fresh_world
    await world.control("hostile", duplicate=5, reorder=True, concurrency=8, seed=seed, delay_ms=[0, 20])
    first, second = await asyncio.gather(world.buy(), world.buy(email="second@example.com", plan="pro"))
    await world.work()
    rows = await world.subscriptions()
    ended = next(row for row in rows if row.signup_id == first)
    await cancel(world, ended.id)
    await world.work()
    stormy = await picture(world)
    assert len(await world.tenants()) == 2
    assert {row.desired_state for row in await world.tenants()} == {"running", "absent"}
    assert (await world.signup(second)).tenant_id is not None

    stored = await world.events()
    random.Random(seed).shuffle(stored)
    for row in stored:
        await world.control("resend", event=row.id, times=2)
    await world.control("flush", timeout=30)
    await world.work()
    assert await picture(world) == stormy
    assert await world.count(Tenant) == 2


async def test_an_older_slower_refetch_does_not_write_over_a_newer_one(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    customer = await customer_of(world, subscription.id)
    access = StripeAccess(world.platform.settings)
    reader, billing, database = StripeReader(access), create_billing(world.platform), world.platform.database
    async with database.transaction() as session:
        older = await repository.begin_turn(session, customer)
    stale = await reader.facts(customer)
    await cancel(world, subscription.id)
    async with database.transaction() as session:
        newer = await repository.begin_turn(session, customer)
    fresh = await reader.facts(customer)
    async with database.transaction() as session:
        assert await billing.apply(session, newer, fresh) == "refetched"
    async with database.transaction() as session:
        assert await billing.apply(session, older, stale) == "superseded"
    await access.close()
    assert (await world.tenants())[0].desired_state == "absent"
    assert [row.status for row in await world.subscriptions()] == ["canceled"]


async def test_two_refetches_at_once_make_one_tenant(fresh_world: World) -> None:
    world = fresh_world
    _, session_id = await world.order()
    await world.control("hostile", drop=1.0)
    await world.control("pay", session=session_id)
    paid = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session_id}")).json()
    access = StripeAccess(world.platform.settings)
    reader, billing, database = StripeReader(access), create_billing(world.platform), world.platform.database

    async def refetch() -> None:
        async with database.transaction() as session:
            turn = await repository.begin_turn(session, paid["customer"])
        facts = await reader.facts(paid["customer"])
        async with database.transaction() as session:
            await billing.apply(session, turn, facts)

    await asyncio.gather(*(refetch() for _ in range(8)))
    await access.close()
    assert await world.count(Tenant) == 1


async def test_another_customer_who_names_a_paid_signup_gets_nothing(fresh_world: World) -> None:
    world = fresh_world
    first = await world.buy()
    await world.work()
    _, session = await world.order(email="thief@example.com")
    stolen = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    assert stolen["metadata"]["signup_id"] != first
    await world.control("hostile", drop=1.0)
    await world.control("pay", session=session)
    paid = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    client = stripe_client(world)
    await asyncio.to_thread(client.v1.subscriptions.update, paid["subscription"], {"metadata": {"signup_id": first}})
    await world.control("hostile", duplicate=1)
    await world.post_event(event(id="evt_thief", customer=paid["customer"]))
    await world.work()
    assert await world.count(Tenant) == 1
    row = next(row for row in await world.subscriptions() if row.id == paid["subscription"])
    assert (row.attention, row.tenant_id, row.wanted) == ("signup_taken", None, "wait")


async def test_two_customers_who_name_one_signup_at_once_make_one_tenant(fresh_world: World) -> None:
    world = fresh_world
    await world.control("hostile", drop=1.0)
    first, one = await world.order()
    _, two = await world.order(email="second@example.com")
    customers = []
    for session_id in (one, two):
        await world.control("pay", session=session_id)
        paid = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session_id}")).json()
        customers.append(paid["customer"])
        change: stripe.params.SubscriptionUpdateParams = {"metadata": {"signup_id": first}}
        await asyncio.to_thread(stripe_client(world).v1.subscriptions.update, paid["subscription"], change)
    access = StripeAccess(world.platform.settings)
    reader, billing, database = StripeReader(access), create_billing(world.platform), world.platform.database
    facts = [await reader.facts(customer) for customer in customers]
    await access.close()
    together = asyncio.Barrier(2)

    async def apply(index: int) -> None:
        async with database.transaction() as session:
            turn = await repository.begin_turn(session, customers[index])
        async with database.transaction() as session:
            await session.connection()
            await together.wait()
            await billing.apply(session, turn, facts[index])

    await asyncio.gather(apply(0), apply(1))
    assert await world.count(Tenant) == 1
    assert sorted(row.attention or "" for row in await world.subscriptions()) == ["", "signup_taken"]


async def test_the_sweep_mends_rows_that_no_event_speaks_of_any_more(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (subscription,) = await world.subscriptions()
    await cancel(world, subscription.id)
    await world.work()
    async with world.platform.database.transaction() as session:  # as if the last fetch had never been written
        await session.execute(update(Subscription).values(status="active", wanted="running"))
        await session.execute(update(Tenant).values(desired_state="running"))
    assert all(row.handled_at is not None for row in await world.events())
    await sweep(world)
    assert [row.status for row in await world.subscriptions()] == ["canceled"]
    assert (await world.tenants())[0].desired_state == "absent"


async def test_lost_webhooks_are_found_by_the_sweep(fresh_world: World) -> None:
    world = fresh_world
    await world.control("hostile", drop=1.0)
    signup_id = await world.buy()
    await world.work()
    assert await world.events() == []
    assert await world.tenants() == []
    await sweep(world)
    (tenant,) = await world.tenants()
    assert (await world.signup(signup_id)).tenant_id == tenant.id
    assert all(row.handled_at is not None for row in await world.events())

    (subscription,) = await world.subscriptions()
    await cancel(world, subscription.id)
    await sweep(world)
    assert (await world.tenants())[0].desired_state == "absent"


async def test_a_sweep_of_what_is_known_finds_nothing(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    await sweep(world)
    before = len(await world.jobs("billing.refetch_customer"))
    await sweep(world)
    assert len(await world.jobs("billing.refetch_customer")) == before


async def test_the_success_page_does_not_wait_for_a_lost_webhook(fresh_world: World) -> None:
    world = fresh_world
    await world.control("hostile", drop=1.0)
    signup_id = await world.buy()
    page = await world.http.get(f"/welcome/{signup_id}")
    assert 'data-stage="unpaid"' in page.text
    await world.work()
    assert len(await world.tenants()) == 1
    assert 'data-stage="building"' in (await world.http.get(f"/welcome/{signup_id}")).text


@pytest.mark.parametrize("kind", ["500", "429", "reset", "garbage"])
async def test_a_busy_stripe_is_asked_again_later_and_nothing_is_lost(fresh_world: World, kind: str) -> None:
    world = fresh_world
    signup_id, session = await world.order()
    await world.control("fail", kind=kind, count=50, match="/v1/customers/")
    await world.control("pay", session=session)
    await world.control("flush", timeout=20)
    await world.work()
    (waiting,) = await world.jobs("billing.refetch_customer", status="todo")
    assert waiting["args"]["attempt"] == 1
    assert waiting["scheduled_at"] is not None
    assert any(row.handled_at is None for row in await world.events())
    await world.control("fail/clear")
    await world.post_event(event(id="evt_again", customer=waiting["args"]["stripe_customer_id"]))
    await world.work()
    assert (await world.signup(signup_id)).tenant_id is not None
    assert all(row.handled_at is not None for row in await world.events())


async def test_a_customer_that_stripe_does_not_know_is_recorded_on_the_event(fresh_world: World) -> None:
    world = fresh_world
    await world.post_event(event(customer="cus_nobody"))
    await world.work()
    (row,) = await world.events()
    assert (row.outcome, row.handled_at is None) == ("stripe_not_found", False)


async def test_a_customer_of_another_product_is_none_of_ours(fresh_world: World) -> None:
    world = fresh_world
    made = await asyncio.to_thread(stripe_client(world).v1.customers.create, {"email": "other@example.com"})
    await world.post_event(event(customer=made.id))
    await world.work()
    assert [row.outcome for row in await world.events() if row.id == "evt_test_1"] == ["not_ours"]
    assert await world.tenants() == []


async def test_a_repeated_checkout_request_makes_one_session(fresh_world: World) -> None:
    """An answer that is lost on the way is asked for again by the library, with the same idempotency key."""
    world = fresh_world
    await world.control("fail", kind="reset", count=1, match="POST /v1/checkout/sessions", after_effect=True)
    answer = await world.http.post("/v1/checkout", json=ORDER)
    assert answer.status_code == 201, answer.text
    sessions = await asyncio.to_thread(stripe_client(world).v1.checkout.sessions.list)
    assert [item.client_reference_id for item in sessions.data] == [answer.json()["signup_id"]]
