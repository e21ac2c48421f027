"""Whose chat it is: links, their limits, and the end of an assistant."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from clawstack.errors import TemporaryError
from services.kit.database.base import utcnow
from services.tables.telegram import LinkCode
from services.traffic.telegram.links import create_link, unbind_all
from services.traffic.telegram.model import texts
from tests.integration.telegram.harness import Cell, World, settings_for, until


async def _said(world: World, chat: int, words: str) -> list[str]:
    sent = await world.people.write(chat, words)
    return [message["text"] for message in await world.people.heard(chat, after=sent["after"])]


async def test_a_link_is_given_again_until_it_was_used(router: World) -> None:
    cell = await router.tenant()
    async with router.database.transaction() as session:
        first = await create_link(session, cell.tenant_id, settings=router.platform.settings)
        again = await create_link(session, cell.tenant_id, settings=router.platform.settings)
    assert again == first
    assert first.url == f"{router.people.root}/_chat/{router.people.bot}?start={first.code}"
    await _said(router, router.new_chat(), f"/start {first.code}")
    assert await router.link(cell) != first.code


async def test_a_link_needs_the_bots_name(world: World) -> None:
    cell = await world.tenant()
    nameless = settings_for(world.people, telegram_bot_username=None)
    async with world.database.transaction() as session:
        with pytest.raises(TemporaryError, match="not introduced itself"):
            await create_link(session, cell.tenant_id, settings=nameless)


async def test_a_code_binds_one_chat_only(router: World) -> None:
    cell = await router.tenant()
    code = await router.link(cell)
    await _said(router, router.new_chat(), f"/start {code}")
    stranger = router.new_chat()
    assert await _said(router, stranger, f"/start {code}") == [texts.USED_LINK]
    sent = await router.people.write(stranger, "may I?")
    assert (await router.people.heard(stranger, after=sent["after"]))[0]["text"] == texts.UNBOUND_HINT
    assert await cell.poll() == []


async def test_a_code_raced_by_two_chats_binds_one(router: World) -> None:
    cell = await router.tenant()
    code = await router.link(cell)
    chats = [router.new_chat() for _ in range(8)]
    await asyncio.gather(*(router.people.write(chat, f"/start {code}") for chat in chats))
    answers = [(await router.people.heard(chat))[0]["text"] for chat in chats]
    assert answers.count(texts.USED_LINK) == 7
    assert await router.scalar("SELECT count(*) FROM telegram_bindings") == 1


async def test_an_expired_code_binds_nothing(router: World) -> None:
    cell = await router.tenant()
    async with router.database.transaction() as session:
        session.add(LinkCode(code="old", tenant_id=cell.tenant_id, expires_at=utcnow() - timedelta(seconds=1)))
    assert await _said(router, router.new_chat(), "/start old") == [texts.EXPIRED_LINK]
    assert await router.scalar("SELECT count(*) FROM telegram_bindings") == 0


async def test_an_unknown_code_binds_nothing(router: World) -> None:
    assert await _said(router, router.new_chat(), "/start nonsense") == [texts.UNKNOWN_LINK]


async def test_opening_the_own_link_twice_is_welcome(router: World) -> None:
    cell = await router.tenant()
    code = await router.link(cell)
    chat = router.new_chat()
    await _said(router, chat, f"/start {code}")
    [again] = await _said(router, chat, f"/start {code}")
    assert "is connected to your assistant" in again


async def test_a_chat_of_another_customer_cannot_be_taken(router: World) -> None:
    mine, theirs = await router.tenant(), await router.tenant()
    chat = await router.bound_chat(mine)
    code = await router.link(theirs)
    assert await _said(router, chat, f"/start {code}") == [texts.FOREIGN_CHAT]
    await router.people.write(chat, "still mine")
    await mine.poll_until(1)
    assert await theirs.poll() == []
    assert "Hello" in (await _said(router, router.new_chat(), f"/start {code}"))[0]  # the code was not used up


async def test_a_chat_moves_between_assistants_of_one_customer(router: World) -> None:
    customer = await router.customer()
    first, second = await router.tenant(customer_id=customer), await router.tenant(customer_id=customer)
    chat = await router.bound_chat(first)
    assert "moved this chat" in (await _said(router, chat, f"/start {await router.link(second)}"))[0]
    await router.people.write(chat, "for the second")
    await second.poll_until(1)
    assert await first.poll() == []


async def test_a_group_is_bound_by_the_start_command_with_the_bots_name(router: World) -> None:
    cell = await router.tenant()
    group = await router.bound_chat(cell, group=True)
    await router.people.write(group, f"@{router.people.bot} hello from the group")
    await until(lambda: _polled(cell))
    assert cell.got[-1]["message"]["chat"]["id"] == group


async def test_strangers_get_one_hint_and_reach_no_assistant(router: World) -> None:
    cell = await router.tenant()
    stranger = router.new_chat()
    assert await _said(router, stranger, "hello?") == [texts.UNBOUND_HINT]
    sent = await router.people.write(stranger, "hello??")
    await until(lambda: _stored(router, 2))
    assert await router.people.heard(stranger, after=sent["after"], wait=0.5) == []
    assert await cell.poll() == []
    assert await router.outcomes() == ["unbound"] * 2


async def test_somebody_who_tries_codes_is_not_answered_for_ever(router: World) -> None:
    stranger = router.new_chat()
    for number in range(40):
        await router.people.write(stranger, f"/start guess{number}")
    await until(lambda: _stored(router, 40))
    await until(lambda: _nothing_to_say(router))
    assert len(await router.people.heard(stranger, wait=0)) == 20


async def test_the_end_of_an_assistant_is_told_once_and_leaves_nothing(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    code = await router.link(cell)
    sent = await router.people.write(chat, "not read any more")
    await until(lambda: _stored(router, 2))
    await router.set_tenant(cell.tenant_id, desired_state="absent", state="deleting")
    for _ in range(2):
        async with router.database.transaction() as session:
            await unbind_all(session, cell.tenant_id)
    [farewell] = await router.people.heard(chat, after=sent["after"])
    assert farewell["text"] == texts.FAREWELL
    assert await cell.poll() == []
    assert await _said(router, chat, f"/start {code}") == [texts.EXPIRED_LINK]
    assert await router.scalar("SELECT count(*) FROM telegram_updates WHERE body::text LIKE '%not read%'") == 0


async def test_a_deleted_assistants_chat_that_was_forgotten_is_told_once(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.set_tenant(cell.tenant_id, desired_state="absent", state="deleted")
    assert await _said(router, chat, "hello?") == [texts.FAREWELL]
    sent = await router.people.write(chat, "hello??")
    await until(lambda: _stored(router, 3))
    await until(lambda: _nothing_to_say(router))
    later = [message["text"] for message in await router.people.heard(chat, after=sent["after"], wait=0)]
    assert texts.FAREWELL not in later
    assert await cell.poll() == []


async def test_someone_who_blocked_the_bot_stops_nobody_else(router: World) -> None:
    cell = await router.tenant()
    blocked, chat = router.new_chat(), router.new_chat()
    await router.people.write(blocked, "/start nothing")
    await router.people.heard(blocked)
    url = f"{router.people.root}/_control/block"
    async with router.http.post(url, json={"bot": router.people.bot, "chat_id": blocked}) as response:
        assert response.ok
    async with router.database.transaction() as session:
        insert = "INSERT INTO telegram_replies (bot, chat_id, text) VALUES (:bot, :chat, 'unheard')"
        await session.execute(text(insert), {"bot": router.people.bot, "chat": blocked})
    assert "Hello" in (await _said(router, chat, f"/start {await router.link(cell)}"))[0]
    await until(lambda: _nothing_to_say(router))


async def _polled(cell: Cell) -> bool:
    return bool(await cell.poll(timeout=1))


async def _stored(world: World, count: int) -> bool:
    return bool(await world.scalar("SELECT count(*) FROM telegram_updates") == count)


async def _nothing_to_say(world: World) -> bool:
    return bool(await world.scalar("SELECT count(*) FROM telegram_replies WHERE finished_at IS NULL") == 0)
