"""getUpdates: ids, confirmation, kinds, age, and who may poll."""

import asyncio

from tests.unit.sandbox_telegram_llm.conftest import TelegramSide
from tests.waiting import patient


async def test_updates_stay_until_a_higher_offset_confirms_them(telegram: TelegramSide) -> None:
    for text in ("one", "two", "three"):
        await telegram.act(text=text)
    first = await telegram.result("getUpdates")
    again = await telegram.result("getUpdates")
    assert [u["message"]["text"] for u in first] == ["one", "two", "three"]
    assert again == first
    ids = [u["update_id"] for u in first]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    rest = await telegram.result("getUpdates", offset=ids[1])
    assert [u["message"]["text"] for u in rest] == ["two", "three"]
    assert await telegram.result("getUpdates", offset=ids[2] + 1) == []
    assert (await telegram.result("getWebhookInfo"))["pending_update_count"] == 0


async def test_limit_and_negative_offset(telegram: TelegramSide) -> None:
    for number in range(5):
        await telegram.act(text=str(number))
    assert len(await telegram.result("getUpdates", limit=2)) == 2
    last_two = await telegram.result("getUpdates", offset=-2)
    assert [u["message"]["text"] for u in last_two] == ["3", "4"]


async def test_long_poll_returns_as_soon_as_something_comes(telegram: TelegramSide) -> None:
    poll = asyncio.create_task(telegram.result("getUpdates", timeout=30))
    await telegram.until_polling()
    await telegram.act(text="hello")
    updates = await asyncio.wait_for(poll, patient(5))
    assert updates[0]["message"]["text"] == "hello"


async def test_second_poll_ends_the_first_with_conflict(telegram: TelegramSide) -> None:
    first = asyncio.create_task(telegram.call("getUpdates", timeout=30))
    await telegram.until_polling()
    second = asyncio.create_task(telegram.result("getUpdates", timeout=30))
    refused = await asyncio.wait_for(first, patient(5))
    assert refused["error_code"] == 409
    assert "terminated by other getUpdates request" in refused["description"]
    await telegram.act(text="for the second")
    assert (await asyncio.wait_for(second, 5))[0]["message"]["text"] == "for the second"


async def test_polling_is_refused_while_a_webhook_is_set_and_setting_one_ends_a_poll(telegram: TelegramSide) -> None:
    poll = asyncio.create_task(telegram.call("getUpdates", timeout=30))
    await telegram.until_polling()
    answer = await telegram.call("setWebhook", url="http://127.0.0.1:9/hook")
    assert answer["description"] == "Webhook was set"
    assert (await asyncio.wait_for(poll, 5))["description"] == "Conflict: terminated by setWebhook request"
    code, words = await telegram.refusal("getUpdates")
    assert code == 409
    assert "use deleteWebhook to delete the webhook first" in words
    assert (await telegram.call("deleteWebhook"))["description"] == "Webhook was deleted"
    assert await telegram.result("getUpdates") == []


async def test_only_wanted_kinds_are_kept(telegram: TelegramSide) -> None:
    message = (await telegram.act(text="hi"))["message"]
    await telegram.act(reaction={"message_id": message["message_id"], "emoji": "👍"})  # not among the default kinds
    assert [list(u)[1] for u in await telegram.result("getUpdates")] == ["message"]
    await telegram.result("getUpdates", allowed_updates=["message_reaction"])
    await telegram.act(text="unwanted")
    await telegram.act(reaction={"message_id": message["message_id"], "emoji": "👍"})
    kinds = [list(u)[1] for u in await telegram.result("getUpdates")]
    assert kinds == ["message", "message_reaction"]  # what came earlier stays, as in the original


async def test_updates_older_than_a_day_are_gone(telegram: TelegramSide) -> None:
    await telegram.act(text="old")
    telegram.clock.now += 24 * 3600 - 10
    await telegram.act(text="young")
    telegram.clock.now += 20
    assert [u["message"]["text"] for u in await telegram.result("getUpdates")] == ["young"]


async def test_webhook_address_and_secret_are_judged(telegram: TelegramSide) -> None:
    assert (await telegram.refusal("setWebhook", url="http://bot.example.org/hook"))[1].endswith(
        "An HTTPS URL must be provided for webhook"
    )
    assert "ports 80, 88, 443 or 8443" in (await telegram.refusal("setWebhook", url="https://bot.example.org:444/h"))[1]
    assert (
        "unallowed characters"
        in (await telegram.refusal("setWebhook", url="http://127.0.0.1:1/", secret_token="not ok!"))[1]
    )
    assert (await telegram.result("getWebhookInfo"))["url"] == ""


async def test_dropping_pending_updates(telegram: TelegramSide) -> None:
    await telegram.act(text="unwanted")
    await telegram.result("deleteWebhook", drop_pending_updates=True)
    assert await telegram.result("getUpdates") == []
