"""What is asked of Stripe takes effect once, and the catalogue's prices are what is sold there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from clawstack.plans import Catalogue
from services.business.billing.catalogue import PriceAction, ensure_prices
from services.business.billing.stripe_access import StripeAccess
from services.business.billing.stripe_reader import StripeReader
from services.business.billing.stripe_writer import StripeWriter
from services.tables.notifications import OutboxMessage
from tests.integration.billing.world import World, customer_of, price_id, stripe_client


@pytest.fixture
async def access(fresh_world: World) -> AsyncIterator[StripeAccess]:
    access = StripeAccess(fresh_world.platform.settings)
    yield access
    await access.close()


def repriced(catalogue: Catalogue, cents: int) -> Catalogue:
    starter = catalogue.plans["starter"]
    prices = starter.prices | {next(iter(starter.prices)): cents}
    return catalogue.model_copy(
        update={"plans": catalogue.plans | {"starter": starter.model_copy(update={"prices": prices})}}
    )


async def test_repeating_the_set_up_changes_nothing(fresh_world: World, access: StripeAccess) -> None:
    results = await ensure_prices(access, fresh_world.platform.catalogue)
    assert {result.action for result in results} == {PriceAction.UNCHANGED}
    assert len(results) == 6
    listed = await asyncio.to_thread(stripe_client(fresh_world).v1.prices.list, {"limit": 100})
    assert len(listed.data) == 6


async def test_a_new_amount_takes_the_key_and_old_subscribers_stay_known(
    fresh_world: World, access: StripeAccess
) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    before = await price_id(world, "clawstack_starter_month")
    catalogue = world.platform.catalogue
    results = await ensure_prices(access, repriced(catalogue, 1200))
    changed = [result for result in results if result.action is not PriceAction.UNCHANGED]
    assert [(item.lookup_key, item.amount, item.action) for item in changed] == [
        ("clawstack_starter_month", 1200, PriceAction.REPLACED)
    ]
    assert await price_id(world, "clawstack_starter_month") != before
    (subscription,) = await world.subscriptions()
    await world.control("emit", type="customer.subscription.updated", id=subscription.id)
    await world.control("flush", timeout=20)
    await world.work()
    (subscription,), (tenant,) = await world.subscriptions(), await world.tenants()
    assert (subscription.plan, subscription.attention, tenant.plan) == ("starter", None, "starter")
    back = await ensure_prices(access, catalogue)
    assert [item.amount for item in back if item.action is PriceAction.REPLACED] == [900], "there and back within a day"
    again = await ensure_prices(access, catalogue)
    assert {item.action for item in again} == {PriceAction.UNCHANGED}


async def test_the_portal_is_opened_for_one_customer(fresh_world: World, access: StripeAccess) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    customer = await customer_of(world, (await world.subscriptions())[0].id)
    url = await StripeWriter(access).create_portal_session(stripe_customer_id=customer, return_url=world.url)
    assert (await world.outside.get(url)).status_code == 200


async def test_changing_ones_mind_three_times_a_day_works_each_time(fresh_world: World, access: StripeAccess) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (row,) = await world.subscriptions()
    reader, writer = StripeReader(access), StripeWriter(access)
    plans = []
    for cause, plan in enumerate(("pro", "starter", "pro")):
        price = await price_id(world, f"clawstack_{plan}_month")
        for _ in range(2):  # a repetition of the same wish
            fact = await reader.subscription(row.id)
            await writer.change_price(fact, price_id=price, cause=f"request-{cause}")
        await world.control("flush", timeout=20)
        await world.work()
        plans.append((await world.tenants())[0].plan)
    assert plans == ["pro", "starter", "pro"]
    assert (await world.tenants())[0].generation == 4


async def test_what_needs_attention_is_told_the_operator_once(fresh_world: World) -> None:
    world = fresh_world
    await world.buy()
    await world.work()
    (row,) = await world.subscriptions()
    await asyncio.to_thread(
        stripe_client(world).v1.subscriptions.update, row.id, {"metadata": {"signup_id": "elsewhere"}}
    )
    for _ in range(2):
        await world.control("emit", type="customer.subscription.updated", id=row.id)
        await world.control("flush", timeout=20)
        await world.work()
    async with world.platform.database.transaction() as session:
        messages = list(await session.scalars(select(OutboxMessage)))
    assert [(item.audience, item.payload["code"]) for item in messages] == [("operator", "unknown_signup")]
    assert row.id in messages[0].payload["reason"]
    assert (await world.tenants())[0].desired_state == "running", "who has paid keeps what is there"
