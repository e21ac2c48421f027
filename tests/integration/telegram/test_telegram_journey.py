"""A chat from its deep link to the assistant's answer, through a real HTTP server, PostgreSQL and a Bot API."""

from __future__ import annotations

from services.traffic.telegram.model import texts
from tests.integration.telegram.harness import World, until


async def test_a_person_opens_the_link_writes_and_gets_the_assistants_answer(router: World) -> None:
    cell = await router.tenant()
    chat = router.new_chat()
    await router.people.write(chat, f"/start {await router.link(cell)}", user={"first_name": "Ana"})
    [greeting] = await router.people.heard(chat)
    assert greeting["text"].startswith("Hello Ana!")
    assert "is ready" in greeting["text"]

    sent = await router.people.write(chat, "When is Mia's birthday?")
    await cell.poll_until(1)
    assert cell.texts() == ["When is Mia's birthday?"]
    answer = await cell.call("sendMessage", chat_id=chat, text="On 3 May.")
    assert answer["result"]["text"] == "On 3 May."
    assert [message["text"] for message in await router.people.heard(chat, after=sent["after"])] == ["On 3 May."]


async def test_the_cell_never_sees_the_link(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "hello")
    await cell.poll_until(1)
    assert cell.texts() == ["hello"]


async def test_a_message_to_an_assistant_in_the_making_waits_for_its_first_poll(router: World) -> None:
    cell = await router.tenant(state="provisioning")
    chat = router.new_chat()
    await router.people.write(chat, f"/start {await router.link(cell)}")
    [greeting] = await router.people.heard(chat)
    assert "being prepared" in greeting["text"]
    for words in ("first", "second", "third"):
        await router.people.write(chat, words)
    await until(lambda: _waiting(router, 3))
    await router.set_tenant(cell.tenant_id, state="healthy")
    assert [update["message"]["text"] for update in await cell.poll()] == ["first", "second", "third"]
    assert await cell.poll() == []
    assert (await router.outcomes())[1:] == ["delivered"] * 3


async def test_a_suspended_assistant_keeps_messages_and_says_so_once(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.set_tenant(cell.tenant_id, state="suspended", desired_state="suspended")
    first = await router.people.write(chat, "are you there?")
    assert [message["text"] for message in await router.people.heard(chat, after=first["after"])] == [
        texts.PAUSED_NOTICE
    ]
    second = await router.people.write(chat, "hello?")
    await until(lambda: _waiting(router, 2))
    await router.set_tenant(cell.tenant_id, state="healthy", desired_state="running")
    await cell.poll_until(2)
    assert cell.texts() == ["are you there?", "hello?"]
    assert await router.people.heard(chat, after=second["after"], wait=0) == []


async def test_what_was_delivered_is_not_kept(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "a secret of the family")
    await cell.poll_until(1)
    assert await router.scalar("SELECT count(*) FROM telegram_updates WHERE body::text LIKE '%family%'") == 0


async def test_the_start_of_a_grammy_bot_works_unchanged(router: World) -> None:
    cell = await router.tenant()
    me = await cell.call("getMe")
    assert me["result"]["username"] == router.people.bot
    assert (await cell.call("deleteWebhook", drop_pending_updates=False))["result"] is True
    commands = [{"command": "status", "description": "How are you"}]
    assert (await cell.call("deleteMyCommands", scope={"type": "default"}))["result"] is True
    assert (await cell.call("setMyCommands", commands=commands))["result"] is True
    info = (await cell.call("getWebhookInfo"))["result"]
    assert (info["url"], info["pending_update_count"]) == ("", 0)
    kinds = ["message", "callback_query", "message_reaction"]
    assert (await cell.call("getUpdates", timeout=0, limit=100, allowed_updates=kinds))["result"] == []
    # Nothing of this reached the bot that all tenants share.
    assert (await router.people.api("getMyCommands"))["result"] == []
    assert (await router.people.api("getWebhookInfo"))["result"]["url"] == ""


async def _waiting(world: World, count: int) -> bool:
    query = "SELECT count(*) FROM telegram_updates WHERE delivered_at IS NULL"
    return bool(await world.scalar(query) == count)
