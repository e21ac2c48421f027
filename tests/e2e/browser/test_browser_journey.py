"""A parent with a phone, in a real browser: from the landing page to the first answer, against the real platform."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from services.cli.demonstration.observe import Observer
from services.cli.demonstration.world import World
from tests.waiting import patient

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE = {"width": 390, "height": 844}
SECOND = patient(1_000)
LIVE = 180 * SECOND
ANSWER = 90 * SECOND

# An input's label is what a screen reader says; hidden ones are never met.
UNLABELLED = """
() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
    .filter((input) => ![...input.labels].some((label) => label.textContent.trim()))
    .map((input) => input.outerHTML)
"""
# Elements that reach over the right edge also when the page hides that by clipping.
TOO_WIDE = """
() => [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => element.outerHTML.slice(0, 120))
"""
# Notes every stage that the page shows; a page that is loaded again forgets the notes.
TAKE_NOTES = """
() => {
    const note = () => {
        const stage = document.querySelector("[data-stage]")?.dataset.stage;
        if (stage && window.stages.at(-1) !== stage) window.stages.push(stage);
    };
    window.stages = [];
    note();
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, attributes: true });
}
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="a browser is missing: none of chromium, chromium-browser, google-chrome is on the PATH"
)


@dataclass(kw_only=True)
class Phone:
    """One page on a phone's screen, with everything the browser complained about."""

    page: Page
    folder: Path
    complaints: list[str] = field(default_factory=list)
    refusals: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        path = urlsplit(message.location["url"]).path
        if path == "/favicon.ico":  # asked for by the browser itself, and only of stand-ins: ours name their icon
            return
        # A page that is itself the refusal is told to the console as well: only those the test asked for are fine.
        if any(path == known and f"status of {status}" in message.text for known, status in self.refusals):
            return
        self.complaints.append(f"{message.text} ({path})")

    def look(self, name: str) -> None:
        """Keep a picture in both colour schemes; the page fits, names its inputs, and is dark in the dark."""
        self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        assert self.page.evaluate(TOO_WIDE) == [], name
        assert self.page.evaluate(UNLABELLED) == [], name
        light = self._background()
        self.page.emulate_media(color_scheme="dark")
        self.page.screenshot(path=self.folder / f"{name}-dark.png", full_page=True)
        dark = self._background()
        self.page.emulate_media(color_scheme="light")
        assert light != dark, f"{name} is as bright in the dark"

    def _background(self) -> bytes:
        # The page's very corner, as painted: styles alone do not tell what the browser makes of them.
        return self.page.screenshot(clip={"x": 1, "y": 1, "width": 2, "height": 2}, animations="disabled")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Ends with the module: while Playwright runs, its event loop is in the way of asynchronous tests.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def phone(browser: Browser, tmp_path: Path) -> Iterator[Phone]:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="light")
    context.set_default_timeout(15 * SECOND)
    phone = Phone(page=context.new_page(), folder=tmp_path)
    yield phone
    context.close()
    assert phone.complaints == []


def test_a_parent_signs_up_pays_watches_and_chats(world: World, observer: Observer, phone: Phone) -> None:
    _lands(world, phone)
    _signs_up(phone)
    _pays(world, phone)
    _watches(world, observer, phone)
    _chats(phone)


def _lands(world: World, phone: Phone) -> None:
    phone.page.goto(world.urls.platform)
    expect(phone.page.get_by_role("heading", level=1)).to_be_visible()
    phone.look("1-landing")
    phone.page.get_by_role("main").get_by_role("link", name="Get started").click()
    phone.page.wait_for_url("**/signup")


def _signs_up(phone: Phone) -> None:
    page = phone.page
    child, birthday = page.locator("#answer_child_name"), page.locator("#answer_child_birthday")
    page.check("input[name=bundle][value=general]")
    expect(page.locator("#answer_preferred_name")).to_be_visible()
    expect(child).not_to_be_visible()
    phone.look("2-signup-other-bundle")
    page.check("input[name=bundle][value=parenting]")
    child.fill("Ida")
    birthday.fill("2025-09-01")
    page.check("input[name=plan][value=starter]")
    page.get_by_label("Your e-mail address").fill("ida at example")
    phone.refusals.add(("/signup", 422))
    page.get_by_role("button", name="Continue to payment").click()

    problem = page.locator("#email-problem")
    expect(problem).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("One thing needs another look")
    field_box, problem_box = page.locator("#email").bounding_box(), problem.bounding_box()
    assert field_box is not None
    assert problem_box is not None
    assert 0 <= problem_box["y"] - (field_box["y"] + field_box["height"]) < 20, "the reason stands at its field"
    expect(page.locator("#email")).to_have_value("ida at example")
    expect(child).to_have_value("Ida")
    expect(birthday).to_have_value("2025-09-01")
    expect(page.locator("input[name=bundle][value=parenting]")).to_be_checked()
    phone.look("3-signup-invalid-email")
    page.get_by_label("Your e-mail address").fill("ida@example.com")
    page.get_by_role("button", name="Continue to payment").click()


def _pays(world: World, phone: Phone) -> None:
    page = phone.page
    page.wait_for_url(f"{world.urls.stripe.rstrip('/')}/**")
    expect(page.get_by_label("Email")).to_have_value("ida@example.com")
    phone.look("4-payment")
    phone.refusals.add((urlsplit(page.url).path, 402))
    _types_a_card(page, "4000000000000002")
    expect(page.get_by_role("alert")).to_contain_text("declined")
    phone.look("5-payment-declined")
    _types_a_card(page, "4242424242424242")


def _types_a_card(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expires").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_label("Name on card").fill("Sam Example")
    page.get_by_role("button", name="Subscribe").click()


def _watches(world: World, observer: Observer, phone: Phone) -> None:
    page = phone.page
    page.wait_for_url(f"{world.urls.platform}/welcome/**")
    page.evaluate(TAKE_NOTES)
    signup_id = urlsplit(page.url).path.rsplit("/", 1)[1]
    expect(page.locator("[data-stage=building]")).to_be_visible(timeout=60 * SECOND)
    assert observer.chat_url(signup_id) is None, "the page does not run ahead of the assistant, nor behind"
    phone.look("6-welcome-building")
    button = page.get_by_role("link", name="Open the chat in Telegram")
    expect(button).to_be_visible(timeout=LIVE)
    stages = page.evaluate("window.stages")
    assert stages[-2:] == ["building", "live"], "one page followed the whole way without being loaded again"
    assert button.get_attribute("href") == observer.chat_url(signup_id)
    slug = observer.tenant_of_signup(signup_id)
    assert slug is not None
    assert observer.tenant(slug)["state"] == "healthy"
    phone.look("7-welcome-live")
    button.click()


def _chats(phone: Phone) -> None:
    page = phone.page
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".message.bot").first).to_be_visible(timeout=ANSWER)
    page.get_by_label("Message").fill("hi, who am I talking about?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message.user").last).to_have_text("hi, who am I talking about?")
    answer = page.locator(".message.user:has-text('who am I') ~ .message.bot").filter(has_text="Ida")
    expect(answer.first).to_be_visible(timeout=ANSWER)
    phone.look("8-chat")


def test_an_unknown_welcome_address_is_a_page_too(world: World, phone: Phone) -> None:
    phone.refusals.add(("/welcome/not-a-signup", 404))
    answer = phone.page.goto(f"{world.urls.platform}/welcome/not-a-signup")
    assert answer is not None
    assert answer.status == 404
    expect(phone.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    phone.look("9-not-found")
    phone.page.get_by_role("link", name="clawstack").click()
    phone.page.wait_for_url(f"{world.urls.platform}/")
