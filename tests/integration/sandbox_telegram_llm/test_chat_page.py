"""A person with a phone opens the link from the welcome page and chats, in a real browser."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.integration.sandbox_telegram_llm.process import Sandbox
from tests.waiting import patient

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; `python -m toolchain setup chromium`")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        phone = await browser.new_context(viewport={"width": 360, "height": 640})
        page = await phone.new_page()
        page.set_default_timeout(patient(15_000))
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        await browser.close()
        assert problems == []


async def test_start_link_buttons_and_edits(sandbox: Sandbox, page: Page) -> None:
    bot = f"{sandbox.telegram}/bot{sandbox.token}"
    await page.goto(f"{sandbox.ready['telegram_link_base']}/ClawstackSandboxBot?start=CODE-1&user=77&name=Pat")
    await page.get_by_role("button", name="Start").click()
    update = (await sandbox.get(f"{bot}/getUpdates", timeout=10))["result"][0]
    assert update["message"]["text"] == "/start CODE-1"
    assert update["message"]["from"] == {"id": 77, "first_name": "Pat", "language_code": "en", "is_bot": False}
    assert update["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]

    keyboard = {"inline_keyboard": [[{"text": "Yes please", "callback_data": "yes"}]]}
    hostile = "<b>Hello</b> &lt;img src=x onerror=alert(1)&gt;"
    body = {"chat_id": 77, "text": hostile, "parse_mode": "HTML", "reply_markup": keyboard}
    sent = (await sandbox.post(f"{bot}/sendMessage", body))["result"]
    line = page.locator(f"#m{sent['message_id']}")
    await expect(line).to_contain_text("Hello <img src=x onerror=alert(1)>")
    await expect(line.locator("b")).to_have_text("Hello")
    await expect(line.locator("img")).to_have_count(0)

    await page.get_by_role("button", name="Yes please").click()
    pressed = (await sandbox.get(f"{bot}/getUpdates", offset=update["update_id"] + 1, timeout=10))["result"][0]
    assert pressed["callback_query"]["data"] == "yes"
    await sandbox.post(f"{bot}/editMessageText", {"chat_id": 77, "message_id": sent["message_id"], "text": "Thank you"})
    await expect(line).to_have_text("Thank you")

    await page.get_by_label("Message").fill("She walked today!")
    await page.get_by_role("button", name="Send").click()
    last = (await sandbox.get(f"{bot}/getUpdates", offset=pressed["update_id"] + 1, timeout=10))["result"][0]
    assert last["message"]["text"] == "She walked today!"
    await sandbox.post(f"{bot}/sendChatAction", {"chat_id": 77, "action": "typing"})
    await expect(page.get_by_role("status")).to_have_text("typing…")
    await sandbox.post(f"{bot}/deleteMessage", {"chat_id": 77, "message_id": sent["message_id"]})
    await expect(line).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_the_chat_is_there_again_after_a_reload(sandbox: Sandbox, page: Page) -> None:
    address = f"{sandbox.ready['telegram_link_base']}/clawstacksandboxbot"
    await page.goto(address)
    await page.get_by_role("button", name="Start").click()
    await expect(page.locator(".message.user")).to_have_text("/start")
    who = await page.locator("#who").text_content()
    await page.goto(address)
    await expect(page.locator(".message.user")).to_have_text("/start")
    assert await page.locator("#who").text_content() == who
    await expect(page.get_by_role("button", name="Start")).to_be_hidden()
