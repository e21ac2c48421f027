"""Updates come in once, whatever Telegram, the network or a stranger does."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from services.kit.context import Platform
from services.traffic.telegram.model.updates import WANTED
from tests.integration.telegram.harness import SECRET, World, serving, settings_for, until


@pytest.fixture
async def pushed(world: World) -> AsyncIterator[World]:
    """A router that only takes what is pushed to it."""
    world.platform = _with(world, telegram_intake="off")
    async with serving(world.platform) as root:
        world.root = root
        yield world


def _with(world: World, **more: Any) -> Platform:
    settings = settings_for(
        world.people, data_dir=world.platform.settings.data_dir, telegram_bot_username=world.people.bot, **more
    )
    return replace(world.platform, settings=settings)


def message(update_id: int, chat_id: int, words: str) -> dict[str, Any]:
    chat = {"id": chat_id, "type": "private", "first_name": "Ana"}
    sender = {"id": chat_id, "is_bot": False, "first_name": "Ana"}
    content = {"message_id": update_id, "date": 1, "chat": chat, "from": sender, "text": words}
    return {"update_id": update_id, "message": content}


async def _bound(world: World) -> tuple[Any, int]:
    cell = await world.tenant()
    chat = world.new_chat()
    await world.people.write(chat, "hi")  # the bot must have met the person before it may write to them
    assert await world.post_update(message(1, chat, f"/start {await world.link(cell)}")) == 200
    return cell, chat


async def test_without_the_secret_nothing_is_stored(pushed: World) -> None:
    for secret in (None, "", "wrong", SECRET + "x", SECRET[:-1], "ÿ"):
        assert await pushed.post_update(message(1, 5, "let me in"), secret=secret) == 401
    assert await pushed.updates() == []


_NO_UPDATES = [
    b"",
    b"{",
    b"[]",
    b"17",
    b'"x"',
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"message": {}}',
    b'{"update_id": true}',
    b'{"update_id": "5"}',
    b'{"update_id": -1}',
    b'{"update_id": 99999999999999999999}',
    b'{"update_id": 5.5}',
    b'{"update_id": 5, "message": {"x": NaN}}',
    b'{"update_id": 5, "message": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
]


async def test_what_is_no_update_is_refused_and_not_stored(pushed: World) -> None:
    for raw in _NO_UPDATES:
        assert await pushed.post_update(None, raw=raw) == 400, raw[:80]
    assert await pushed.updates() == []


async def test_a_body_that_is_too_large_is_refused(pushed: World) -> None:
    assert await pushed.post_update(None, raw=b"x" * (10 * 1024 * 1024)) == 413
    assert await pushed.updates() == []


async def test_another_bots_path_is_unknown(pushed: World) -> None:
    url = f"{pushed.root}/webhooks/telegram/somebody_else"
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with pushed.http.post(url, json=message(1, 5, "x"), headers=headers) as response:
        assert response.status == 404
    assert await pushed.updates() == []


async def test_words_that_postgresql_cannot_hold_are_delivered_all_the_same(pushed: World) -> None:
    cell, chat = await _bound(pushed)
    words = r"a\u0000b\ud83dc"
    raw = f"""{{"update_id": 2, "message": {{"chat": {{"id": {chat}, "type": "private"}}, "text": "{words}", "x": 1e999}}}}"""
    assert await pushed.post_update(None, raw=raw.encode()) == 200
    await cell.poll_until(1)
    assert cell.texts() == ["a\ufffdb?c"]


async def test_the_same_update_fifty_times_at_once_is_one(pushed: World) -> None:
    cell, chat = await _bound(pushed)
    statuses = await asyncio.gather(*(pushed.post_update(message(7, chat, "once")) for _ in range(50)))
    assert statuses == [200] * 50
    await cell.poll_until(1)
    assert await pushed.post_update(message(7, chat, "once")) == 200  # long after it was delivered
    assert await cell.poll() == []
    assert cell.texts() == ["once"]


async def test_shuffled_and_repeated_updates_all_arrive_once(pushed: World) -> None:
    cell, chat = await _bound(pushed)
    numbers = [*range(10, 60), *range(10, 60)]
    random.Random(4).shuffle(numbers)
    await asyncio.gather(*(pushed.post_update(message(number, chat, f"m{number}")) for number in numbers))
    await cell.poll_until(50)
    assert sorted(cell.texts()) == sorted(f"m{number}" for number in range(10, 60))
    ids = [update["update_id"] for update in cell.got]
    assert ids == sorted(set(ids))


async def test_a_cell_that_polls_all_the_while_loses_nothing_to_late_commits(pushed: World) -> None:
    """A number that becomes visible after a higher one was confirmed would be lost."""
    cell, chat = await _bound(pushed)

    async def push() -> None:
        limit = asyncio.Semaphore(16)

        async def one(number: int) -> None:
            async with limit:
                assert await pushed.post_update(message(number, chat, f"m{number}")) == 200

        await asyncio.gather(*(one(number) for number in range(100, 400)))

    await asyncio.gather(push(), cell.poll_until(300))
    assert sorted(cell.texts()) == sorted(f"m{number}" for number in range(100, 400))


async def test_kinds_that_have_no_chat_with_the_bot_reach_nobody(pushed: World) -> None:
    """A business message's chat is a chat between two people; its number may be another tenant's private chat."""
    cell, chat = await _bound(pushed)
    content = message(0, chat, "between us two")["message"]
    kinds = ("business_message", "edited_business_message", "guest_message")
    for number, kind in enumerate(kinds, start=20):
        assert await pushed.post_update({"update_id": number, kind: content}) == 200
    assert await pushed.post_update({"update_id": 30, "inline_query": {"id": "1", "from": content["from"]}}) == 200
    assert await pushed.post_update({"update_id": 31, "news": 5}) == 200
    assert await cell.poll() == []
    assert (await pushed.outcomes())[1:] == ["unsupported"] * 5


async def test_every_kind_with_a_chat_is_routed(pushed: World) -> None:
    cell, chat = await _bound(pushed)
    await cell.poll(allowed_updates=list(WANTED))
    content = {"chat": {"id": chat, "type": "private"}, "from": {"id": chat, "is_bot": False}, "date": 1}
    kinds = ["edited_message", "channel_post", "my_chat_member", "chat_join_request", "message_reaction", "chat_boost"]
    for number, kind in enumerate(kinds, start=3):
        assert await pushed.post_update({"update_id": number, kind: content}) == 200
    await cell.poll_until(len(kinds))
    assert [(set(update) - {"update_id"}) for update in cell.got] == [{kind} for kind in kinds]


async def test_a_group_that_becomes_a_supergroup_stays_with_its_tenant(pushed: World) -> None:
    cell = await pushed.tenant()
    old, new = -500, -100500
    start = message(1, old, f"/start@{pushed.people.bot} {await pushed.link(cell)}")
    start["message"]["chat"]["type"] = "group"
    assert await pushed.post_update(start) == 200
    moved = {"message_id": 2, "chat": {"id": new, "type": "supergroup"}, "migrate_from_chat_id": old}
    assert await pushed.post_update({"update_id": 2, "message": moved}) == 200
    assert await pushed.post_update(message(3, new, "still here")) == 200
    await cell.poll_until(2)
    assert cell.got[-1]["message"]["text"] == "still here"


async def test_no_database_means_503_and_telegram_tries_again(pushed: World) -> None:
    cell, chat = await _bound(pushed)
    healthy = pushed.platform.database.engine
    broken = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    pushed.platform.database._sessions = async_sessionmaker(broken)
    assert await pushed.post_update(message(9, chat, "patience")) == 503
    pushed.platform.database._sessions = async_sessionmaker(healthy, expire_on_commit=False)
    assert await pushed.post_update(message(9, chat, "patience")) == 200
    await cell.poll_until(1)
    assert cell.texts() == ["patience"]


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "flood", "retry_after": 1},
        {"kind": "error", "status": 409, "description": "Conflict: terminated by other getUpdates request"},
        {"kind": "error", "status": 502, "description": "Bad Gateway"},
        {"kind": "reset"},
        {"kind": "lost_answer"},
    ],
)
async def test_polling_survives_trouble_and_loses_nothing(world: World, trouble: dict[str, Any]) -> None:
    await world.people.fault(method="getUpdates", times=2, **trouble)
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        chat = await world.bound_chat(cell)
        await world.people.fault(method="getUpdates", times=2, **trouble)
        for number in range(5):
            await world.people.write(chat, f"m{number}")
        await cell.poll_until(5)
    assert cell.texts() == [f"m{number}" for number in range(5)]
    assert await world.scalar("SELECT count(*) FROM telegram_updates") == 6


async def test_polling_takes_over_from_a_webhook(world: World) -> None:
    await world.people.api("setWebhook", url="https://elsewhere.example.org/hook")
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        chat = await world.bound_chat(cell)
        await world.people.write(chat, "hello")
        await cell.poll_until(1)
    assert (await world.people.api("getWebhookInfo"))["result"]["url"] == ""


async def test_two_processes_never_poll_at_once_and_the_second_takes_over(world: World) -> None:
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        chat = await world.bound_chat(cell)
        async with _second(world):
            for number in range(20):
                await world.people.write(chat, f"one {number}")
            await cell.poll_until(20)
            assert 'intake_errors_total{reason="409"}' not in _metrics(world)
    async with _second(world) as root:
        cell.root = root
        await world.people.write(chat, "two")
        await cell.poll_until(21)
    assert cell.texts() == [*(f"one {number}" for number in range(20)), "two"]


def _second(world: World) -> AbstractAsyncContextManager[str]:
    return serving(replace(world.platform, metrics=CollectorRegistry()))


def _metrics(world: World) -> str:
    return generate_latest(world.platform.metrics).decode()


async def test_webhook_mode_registers_a_webhook_with_a_secret_and_receives_through_it(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world.platform = _with(
        world, telegram_intake="webhook", public_url=f"http://127.0.0.1:{port}", telegram_webhook_secret=None
    )
    async with serving(world.platform, port=port) as root:
        world.root = root
        info = await until(lambda: _registered(world))
        assert info["url"] == f"http://127.0.0.1:{port}/webhooks/telegram/{world.people.bot}"
        cell = await world.tenant()
        chat = await world.bound_chat(cell)
        await world.people.write(chat, "pushed")
        await cell.poll_until(1)
        assert cell.texts() == ["pushed"]
        assert await world.post_update(message(1, chat, "forged"), secret=SECRET) == 401


async def _registered(world: World) -> dict[str, Any] | None:
    info = (await world.people.api("getWebhookInfo"))["result"]
    return info if info["url"] else None
