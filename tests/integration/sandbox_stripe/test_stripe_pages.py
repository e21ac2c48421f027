"""The pages in a real browser of a phone's size."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import stripe
from playwright.async_api import Page, async_playwright

from tests.integration.sandbox_stripe.world import DECLINED, Json, StandIn, new_session, subscribe

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; `python -m toolchain setup chromium`")
WIDTH = 360


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield await browser.new_page(viewport={"width": WIDTH, "height": 740})
        await browser.close()


async def fits(page: Page) -> bool:
    """Nothing sticks out to the right, and no script is needed."""
    scrolls: int = await page.evaluate("document.documentElement.scrollWidth")
    return scrolls <= WIDTH and await page.locator("script").count() == 0


async def test_a_person_is_declined_and_then_pays_on_a_phone(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, page: Page
) -> None:
    session = new_session(
        client, prices["clawstack_starter_month"], success_url=f"{stand_in.base}/?{{CHECKOUT_SESSION_ID}}"
    )
    await page.goto(str(session.url))
    assert await fits(page)
    assert "19.00 USD per month" in await page.get_by_test_id("checkout-total").inner_text()
    await page.get_by_label("Card number").fill(DECLINED)
    await page.get_by_label("Expires").fill("12 / 30")
    await page.get_by_label("CVC").fill("123")
    await page.get_by_role("button", name="Subscribe").click()
    assert await page.get_by_role("alert").inner_text() == "Your card was declined."
    await page.get_by_label("Card number").fill("4242 4242 4242 4242")
    await page.get_by_role("button", name="Subscribe").click()
    await page.wait_for_url(f"**/?{session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "complete"


async def test_a_person_leaves_and_comes_back_in_the_portal(
    stand_in: StandIn, client: stripe.StripeClient, prices: Json, page: Page
) -> None:
    subscription = subscribe(stand_in, prices["clawstack_starter_month"])
    portal = client.v1.billing_portal.sessions.create({"customer": str(subscription.customer)})
    await page.goto(portal.url)
    assert await fits(page)
    await page.get_by_test_id("portal-cancel").click()
    assert (await page.get_by_test_id("portal-status").inner_text()).startswith("Ends on")
    await page.get_by_test_id("portal-keep").click()
    assert (await page.get_by_test_id("portal-status").inner_text()).startswith("Renews on")
    assert client.v1.subscriptions.retrieve(subscription.id).cancel_at is None
