"""The pages, through the real server: what they say, what they keep, what they refuse."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.kit.database.base import utcnow
from services.run.context import ProcessPlatform
from services.tables.billing import Signup
from services.tables.tenants import Tenant
from tests.integration.billing.world import StandIn, World, cancel, opened_world
from tests.integration.onboarding.html import Element, parse

FORM = {
    "email": "parent@example.com",
    "plan": "pro",
    "period": "year",
    "bundle": "parenting",
    "answer_child_name": "Emma",
    "answer_child_birthday": "2025-09-14",
}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}'


async def page(world: World, path: str, *, status: int = 200) -> Element:
    answer = await world.http.get(path)
    assert answer.status_code == status, answer.text
    return check(answer)


def check(answer: httpx.Response) -> Element:
    """What holds for every page, whatever it shows."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    root = parse(answer.text)
    for script in root.all("script"):
        assert script.text == ""
        assert script.attributes["src"].startswith("/static/")
    inline = [name for element in root.all() for name in element.attributes if re.match(r"on|style$", name)]
    assert inline == [], "the policy would not let these run"
    for control in [*root.all("input"), *root.all("select")]:
        labelled = control.attributes.get("type") in {"hidden", "radio"} or root.all(
            "label", for_=control.attributes["id"]
        )
        assert labelled, f"{control.attributes} has no label"
    for radio in root.all("input", type="radio"):
        assert any(radio in label.all("input") for label in root.all("label"))
    return root


async def test_the_first_page_sells_what_the_catalogue_lists(world: World) -> None:
    root = await page(world, "/")
    text = root.text
    for words in ("Starter", "$9 a month", "or $90 a year, 2 months free", "Parenting assistant", "Personal assistant"):
        assert words in text
    links = {link.attributes["href"] for link in root.all("a")}
    assert {"/signup?plan=business", "/signup?bundle=parenting"} <= links
    assert len(root.all("h1")) == 1


async def test_everything_that_pages_load_is_there_and_may_be_kept(world: World) -> None:
    root = await page(world, "/")
    addresses = [tag.attributes["src"] for tag in [*root.all("script"), *root.all("img")]]
    addresses += [tag.attributes["href"] for tag in root.all("link")]
    for address in addresses:
        answer = await world.http.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


async def test_the_form_begins_with_what_the_link_names(world: World) -> None:
    root = await page(world, "/signup?plan=business&bundle=parenting&period=year")
    chosen = {radio.attributes["value"] for radio in root.all("input", type="radio") if "checked" in radio.attributes}
    assert chosen == {"business", "parenting", "year"}
    assert root.one("input", name="answer_child_birthday").attributes["type"] == "date"


async def test_an_unknown_link_still_shows_the_form(world: World) -> None:
    root = await page(world, "/signup?plan=gold&bundle=nothing&period=never&again=guess")
    assert root.one("input", id="email").attributes["value"] == ""
    assert root.all("div", id="questions")[0].children == []


async def test_another_bundle_brings_its_questions_and_keeps_what_was_typed(world: World) -> None:
    first = parse((await world.http.post("/signup/questions", data=FORM | {"bundle": "general"})).text)
    assert first.one("input", id="answer_preferred_name").attributes["type"] == "text"
    kept = {item.attributes["name"]: item.attributes["value"] for item in first.all("input", type="hidden")}
    assert kept == {"answer_child_name": "Emma", "answer_child_birthday": "2025-09-14"}
    back = parse((await world.http.post("/signup/questions", data=FORM | kept)).text)
    assert back.one("input", id="answer_child_name").attributes["value"] == "Emma"


async def test_without_scripts_the_whole_form_comes_back(world: World) -> None:
    root = check(await world.http.post("/signup/questions/page", data=FORM | {"email": ""}))
    assert root.one("input", id="answer_child_name").attributes["value"] == "Emma"
    assert root.all(role="alert") == []


async def test_a_sound_form_leads_to_the_payment_page(world: World) -> None:
    answer = await world.http.post("/signup", data=FORM)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{world.stand_in.base}/pay/")
    session = answer.headers["location"].rsplit("/", 1)[-1]
    stored = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    signup_id = stored["metadata"]["signup_id"]
    assert stored["success_url"] == f"{world.url}/welcome/{signup_id}"
    assert stored["customer_email"] == "parent@example.com"
    signup = await world.signup(signup_id)
    assert (signup.plan, signup.period, signup.bundle, signup.checkout_session_id) == (
        "pro",
        "year",
        "parenting",
        session,
    )
    assert signup.answers == {"child_name": "Emma", "child_birthday": "2025-09-14"}


async def test_a_wrong_form_says_what_beside_the_field_and_loses_nothing(world: World) -> None:
    wrong = FORM | {"email": "nobody", "answer_child_birthday": "14 September"}
    answer = await world.http.post("/signup", data=wrong)
    assert answer.status_code == 422
    root = check(answer)
    email = root.one("input", id="email")
    assert (email.attributes["value"], email.attributes["aria-invalid"]) == ("nobody", "true")
    assert "'nobody' is not an e-mail address. Write it like name@example.com." in root.one(id="email-problem").text
    assert "email-problem" in email.attributes["aria-describedby"]
    birthday = root.one(id="answer_child_birthday-problem").text
    assert "'14 September'" in birthday
    assert "year-month-day" in birthday
    assert root.one("input", id="answer_child_name").attributes["value"] == "Emma"
    assert "checked" in root.one("input", name="plan", value="pro").attributes
    assert "checked" in root.one("input", id="period-year").attributes
    summary = root.one(role="alert")
    targets = [link.attributes["href"].removeprefix("#") for link in summary.all("a")]
    assert targets == ["answer_child_birthday", "email"]
    assert all(root.all(id=target) for target in targets)
    assert await world.count(Signup) == 0


async def test_after_a_cancelled_payment_everything_is_still_there(world: World) -> None:
    signup_id, _ = await world.order()
    root = await page(world, f"/signup?again={signup_id}")
    assert root.one("input", id="email").attributes["value"] == "parent@example.com"
    assert root.one("input", id="answer_child_name").attributes["value"] == "Emma"
    assert "nothing was charged" in root.one(role="status").text


async def test_a_paid_signup_no_longer_fills_the_form(world: World) -> None:
    signup_id = await world.buy()
    await world.work()
    assert (await page(world, f"/signup?again={signup_id}")).one("input", id="email").attributes["value"] == ""


async def test_hostile_text_is_shown_as_text_and_stored_harmless(world: World) -> None:
    answer = await world.http.post(
        "/signup", data=FORM | {"email": HOSTILE, "plan": HOSTILE, "answer_child_name": HOSTILE}
    )
    assert answer.status_code == 422
    root = check(answer)
    assert root.one("input", id="email").attributes["value"] == HOSTILE
    assert "<script>alert" not in answer.text
    assert "49" not in root.one("input", id="answer_child_name").attributes["value"]
    taken = await world.http.post("/signup", data=FORM | {"answer_child_name": "Emma <script>"})
    session = taken.headers["location"].rsplit("/", 1)[-1]
    stored = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    assert (await world.signup(stored["metadata"]["signup_id"])).answers["child_name"] == "Emma script"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"answer_child_name": "x" * 5000}, 422),
        ({"bundle": "gen\x00eral/../.."}, 422),
        ({f"answer_{n}": "x" for n in range(200)}, 400),
    ],
)
async def test_malformed_forms_are_refused_clearly(world: World, data: dict[str, str], status: int) -> None:
    answer = await world.http.post("/signup", data=FORM | data)
    assert answer.status_code == status, answer.text
    check(answer)
    assert await world.count(Signup) == 0


async def test_characters_that_nobody_types_are_dropped(world: World) -> None:
    answer = await world.http.post("/signup", data=FORM | {"email": "par\x00ent@exam\u202eple.com\x7f"})
    assert answer.status_code == 303
    session = answer.headers["location"].rsplit("/", 1)[-1]
    stored = (await world.outside.get(f"{world.stand_in.base}/_control/objects/{session}")).json()
    assert (await world.signup(stored["metadata"]["signup_id"])).email == "parent@example.com"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}]
)
@pytest.mark.parametrize("path", ["/signup", "/signup/questions"])
async def test_a_form_of_another_site_is_refused(world: World, path: str, headers: dict[str, str]) -> None:
    answer = await world.http.post(path, data=FORM, headers=headers)
    assert answer.status_code == 403
    assert "another site" in check(answer).text
    assert await world.count(Signup) == 0


async def test_one_address_cannot_flood_us_with_signups(platform: ProcessPlatform, stripe_stand_in: StandIn) -> None:
    async with opened_world(platform, stripe_stand_in, signup_rate_per_minute=2) as world:
        assert (await world.http.post("/signup", data=FORM)).status_code == 303
        assert (await world.order())[0]
        page_answer = await world.http.post("/signup", data=FORM)
        assert page_answer.status_code == 429
        assert int(page_answer.headers["retry-after"]) in range(1, 61)
        assert "wait a minute" in check(page_answer).text
        assert await world.count(Signup) == 2


async def test_without_stripe_the_customer_is_told_that_nothing_was_charged(world: World) -> None:
    await world.control("fail", kind="500", count=20, match="checkout/sessions")
    answer = await world.http.post("/signup", data=FORM)
    assert answer.status_code == 503
    assert "again in a few minutes" in check(answer).text
    api = await world.http.post("/v1/checkout", json={"email": "a@example.com", "plan": "pro", "bundle": "general"})
    assert (api.status_code, api.json()["error"]["code"]) == (503, "checkout_unavailable")


@pytest.mark.parametrize(
    "path", ["/welcome/nobody", "/welcome/" + "x" * 32, "/welcome/%00", "/welcome/nobody/progress"]
)
async def test_an_unknown_signup_is_a_page_of_its_own(world: World, path: str) -> None:
    root = await page(world, path, status=404)
    assert "There is no such sign-up." in root.text


async def set_tenant(world: World, **values: Any) -> None:
    async with world.platform.database.transaction() as session:
        await session.execute(update(Tenant).values(**values))


async def test_the_success_page_follows_the_real_state_to_the_chat(world: World) -> None:
    signup_id, session = await world.order()
    waiting = await page(world, f"/welcome/{signup_id}")
    section = waiting.one(id="progress")
    assert (section.attributes["data-stage"], section.attributes["hx-trigger"]) == ("unpaid", "every 1s")
    same = await world.http.get(section.attributes["hx-get"])
    assert same.status_code == 204, "nothing changed, so nothing is drawn again"

    await world.control("pay", session=session)
    await world.control("flush", timeout=20)
    await world.work()
    built = parse((await world.http.get(section.attributes["hx-get"])).text).one(id="progress")
    assert (built.attributes["data-stage"], built.attributes["data-state"]) == ("building", "pending")
    assert built.all("a") == []

    await set_tenant(world, state="healthy", healthy_at=utcnow())
    live = parse((await world.http.get(built.attributes["hx-get"])).text).one(id="progress")
    assert live.attributes["data-stage"] == "live"
    assert "hx-get" not in live.attributes, "polling ends"
    link = live.one("a").attributes["href"]
    assert re.fullmatch(r"https://t\.me/ClawstackTestBot\?start=[A-Za-z0-9_-]{32}", link)
    again = parse((await world.http.get(f"/welcome/{signup_id}")).text)
    assert again.one("a", rel="noreferrer").attributes["href"] == link, "one link, however often it is shown"
    status = (await world.http.get(f"/v1/checkout/{signup_id}")).json()
    assert (status["state"], status["chat_url"], status["checkout_url"]) == ("healthy", link, None)


@pytest.mark.parametrize(
    ("state", "stage", "words"),
    [
        ("needs_attention", "attention", "a person has to look at it"),
        ("failed", "building", "takes longer than usual"),
        ("suspended", "paused", "paused"),
        ("deleted", "ended", "sign up again"),
    ],
)
async def test_every_other_end_is_told_in_plain_words(world: World, state: str, stage: str, words: str) -> None:
    signup_id = await world.buy()
    await world.work()
    await set_tenant(world, state=state, state_code="secret_code", state_reason="stack trace of the operator")
    root = await page(world, f"/welcome/{signup_id}")
    section = root.one(id="progress")
    assert section.attributes["data-stage"] == stage
    assert words.lower() in section.text.lower()
    assert "stack trace" not in root.text


async def test_a_cancelled_subscription_is_told(world: World) -> None:
    signup_id = await world.buy()
    await world.work()
    row = next(row for row in await world.subscriptions() if row.signup_id == signup_id)
    await cancel(world, row.id)
    await world.work()
    await set_tenant(world, state="deleting")
    assert "The subscription has ended." in (await page(world, f"/welcome/{signup_id}")).text
