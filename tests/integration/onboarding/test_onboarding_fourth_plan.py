"""A fourth plan, from its entry in the catalogue alone: on the pages, at Stripe, paid, built and shown by `/v1`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest

from clawstack.plans import load_catalogue
from clawstack.tokens import TokenKind
from services.business.access.service import issue_token
from services.business.billing.catalogue import ensure_prices
from services.business.billing.stripe_access import StripeAccess
from services.run.context import ProcessPlatform
from services.run.factory import create_app
from services.run.parts.provisioner import create_part
from tests.integration.billing.world import ORDER, StandIn, World, opened_world
from tests.integration.onboarding.html import parse
from tests.unit.platform.fourth_plan import sold


@pytest.fixture
def on_sale(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with sold(monkeypatch):
        yield


@pytest.fixture
async def larger(platform: ProcessPlatform, stripe_stand_in: StandIn, on_sale: None) -> AsyncIterator[World]:
    async with opened_world(replace(platform, catalogue=load_catalogue()), stripe_stand_in) as world:
        yield world


async def test_the_pages_sell_it(larger: World) -> None:
    landing = (await larger.http.get("/")).text
    assert "One assistant for everybody at home." in landing
    assert "$29" in landing
    form = parse((await larger.http.get("/signup?plan=family")).text)
    [radio] = form.all("input", name="plan", value="family")
    assert "checked" in radio.attributes


async def test_stripe_has_its_prices(larger: World) -> None:
    access = StripeAccess(larger.platform.settings)
    results = await ensure_prices(access, larger.platform.catalogue)
    await access.close()
    assert {item.lookup_key: item.amount for item in results if "family" in item.lookup_key} == {
        "clawstack_family_month": 2900,
        "clawstack_family_year": 29000,
    }


async def test_who_pays_for_it_gets_it(larger: World) -> None:
    answer = await larger.http.post("/v1/checkout", json=ORDER | {"plan": "family"})
    assert answer.status_code == 201, answer.text
    await larger.buy(plan="family")
    await larger.work()
    [tenant] = await larger.tenants()
    assert (tenant.plan, tenant.substrate) == ("family", "process")


async def test_v1_takes_it_and_shows_it(platform: ProcessPlatform, on_sale: None) -> None:
    platform = replace(platform, catalogue=load_catalogue())
    async with platform.database.transaction() as session:
        token = await issue_token(session, TokenKind.OPERATOR, "test", ["admin"])
    app = create_app(platform, [create_part(platform)])
    headers = {"authorization": f"Bearer {token.reveal()}"}
    transport = httpx.ASGITransport(app=app)
    body = {"plan": "family", "bundle": "general", "answers": {"preferred_name": "Emma"}}
    async with httpx.AsyncClient(transport=transport, base_url="http://platform", headers=headers) as v1:
        made = await v1.post("/v1/tenants", json=body)
        assert made.status_code == 201, made.text
        [shown] = (await v1.get("/v1/tenants?plan=family")).json()["items"]
        usage = (await v1.get(f"/v1/tenants/{shown['slug']}/usage")).json()
    assert (shown["plan"], shown["substrate"]) == ("family", "process")
    assert (usage["tokens_limit"], usage["budget_micro_usd"]) == (30_000_000, 15_000_000)
