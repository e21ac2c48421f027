"""A parent with a phone, in a real browser: nothing blocked by our own content policy, nothing off the screen."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright
from sqlalchemy import update

from services.kit.database.base import utcnow
from services.tables.tenants import Tenant
from tests.integration.billing.world import GOOD, World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture
async def phone() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
        yield await context.new_page()
        await browser.close()


async def fits(page: Page) -> bool:
    width: int = await page.evaluate("document.documentElement.scrollWidth")
    return width <= 390


async def test_a_parent_signs_up_pays_and_gets_the_link(world: World, phone: Page) -> None:
    complaints: list[str] = []
    phone.on("pageerror", lambda error: complaints.append(str(error)))
    phone.on("console", lambda message: complaints.append(message.text) if "olicy" in message.text else None)

    await phone.goto(f"{world.url}/")
    assert await fits(phone)
    await phone.click("text=Get started >> nth=0")
    await phone.check("input[name=bundle][value=general]")
    await phone.wait_for_selector("#answer_preferred_name")
    await phone.check("input[name=bundle][value=parenting]")
    await phone.fill("#answer_child_name", "Emma")
    await phone.check("input[name=bundle][value=general]")
    await phone.wait_for_selector("#answer_preferred_name")
    await phone.check("input[name=bundle][value=parenting]")
    await phone.wait_for_selector("#answer_child_birthday")
    assert await phone.input_value("#answer_child_name") == "Emma", "changing one's mind loses nothing"

    await phone.click("text=Continue to payment")
    await phone.wait_for_selector("[role=alert]")
    assert await phone.input_value("#answer_child_name") == "Emma"
    assert await fits(phone)
    await phone.fill("#answer_child_birthday", "2025-09-14")
    await phone.fill("#email", "parent@example.com")
    await phone.check("input[name=period][value=year]")
    assert await phone.is_visible("text=$90")
    await phone.click("text=Continue to payment")
    await phone.wait_for_url(f"{world.stand_in.base}/pay/**")
    session = phone.url.rsplit("/", 1)[-1].partition("?")[0]

    paid = await world.control("pay", session=session, card=GOOD)
    await phone.goto(paid["success_url"])
    await phone.wait_for_selector("[data-stage=unpaid]")
    await world.control("flush", timeout=20)
    await world.work()
    await phone.wait_for_selector("[data-stage=building]")
    assert await fits(phone)
    async with world.platform.database.transaction() as database:
        await database.execute(update(Tenant).values(state="healthy", healthy_at=utcnow()))
    await phone.wait_for_selector("[data-stage=live]")
    link = await phone.get_attribute("text=Open the chat in Telegram", "href")
    assert link is not None
    assert link.startswith("https://t.me/ClawstackTestBot?start=")
    assert complaints == []
