"""`kill -9` at the worst moments: nothing is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from services.traffic.telegram.service import Receiver
from tests.integration.telegram.harness import SECRET, Cell, RouterProcess, World, serving, until


@pytest.fixture
async def process(world: World, postgres_url: str) -> AsyncIterator[RouterProcess]:
    """A router in a process of its own on the test's database."""
    settings = world.platform.settings
    environment = {
        "CLAWSTACK_DATABASE_URL": postgres_url,
        "CLAWSTACK_DATA_DIR": str(settings.data_dir),
        "CLAWSTACK_TELEGRAM_BOT_TOKEN": world.people.token,
        "CLAWSTACK_TELEGRAM_BOT_USERNAME": world.people.bot,
        "CLAWSTACK_TELEGRAM_API_ROOT": world.people.root,
        "CLAWSTACK_TELEGRAM_WEBHOOK_SECRET": SECRET,
    }
    process = RouterProcess(environment)
    await process.start()
    world.root = process.root
    yield process
    process.kill()


async def test_killed_between_storing_and_delivering(world: World, process: RouterProcess) -> None:
    cell = await world.tenant()
    chat = await world.bound_chat(cell)
    await world.people.write(chat, "stored, not delivered")
    await until(lambda: _stored(world, 2))
    process.kill()
    await world.people.write(chat, "written while nobody was there")
    await process.start()
    cell.root = process.root
    await cell.poll_until(2)
    assert cell.texts() == ["stored, not delivered", "written while nobody was there"]
    assert await cell.poll() == []


async def test_killed_between_delivering_and_confirming(world: World, process: RouterProcess) -> None:
    """The cell has kept the update and its offset; the router must not hand it out under another number."""
    cell = await world.tenant()
    chat = await world.bound_chat(cell)
    await world.people.write(chat, "delivered, not confirmed")
    await until(lambda: _stored(world, 2))
    [update] = await cell.poll()
    process.kill()
    await process.start()
    cell.root = process.root
    remembering = cell.offset
    cell.offset = None
    assert await cell.poll() == [update]  # a cell that forgot gets it again, recognisably
    cell.offset = remembering
    assert await cell.poll() == []
    await world.people.write(chat, "next")
    await cell.poll_until(3)
    assert cell.texts()[-1] == "next"


async def test_killed_in_the_middle_of_a_flood(world: World, process: RouterProcess) -> None:
    cell = await world.tenant()
    chat = await world.bound_chat(cell)
    for number in range(60):
        await world.people.write(chat, f"m{number}")
        if number in {10, 25, 40}:
            process.kill()
            await process.start()
            cell.root = process.root
    await cell.poll_until(60)
    assert cell.texts() == [f"m{number}" for number in range(60)]


async def test_killed_before_the_greeting_was_said(world: World, process: RouterProcess) -> None:
    cell = await world.tenant()
    chat = world.new_chat()
    await world.people.fault(kind="error", status=502, method="sendMessage", times=1)
    await world.people.write(chat, f"/start {await world.link(cell)}")
    await until(lambda: _stored(world, 1))
    process.kill()
    async with world.database.transaction() as session:
        await session.execute(text("UPDATE telegram_replies SET next_try_at = now()"))  # its minute has passed
    await process.start()
    [greeting] = await world.people.heard(chat)
    assert greeting["text"].startswith("Hello")


async def _stored(world: World, count: int) -> bool:
    return bool(await world.scalar("SELECT count(*) FROM telegram_updates") == count)


async def test_the_database_drops_every_connection(router: World) -> None:
    """As after a restart of PostgreSQL: poller, listener, waiting polls and the router's voice all come back."""
    cell, later = await router.tenant(), await router.tenant()
    chat = await router.bound_chat(cell)
    drop = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for number in range(3):
        assert await router.scalar(drop) > 0
        await router.people.write(chat, f"m{number}")
    await until(lambda: _polled(cell, 3))
    assert cell.texts() == ["m0", "m1", "m2"]
    code = await router.link(later)
    stranger = router.new_chat()
    await router.people.write(stranger, f"/start {code}")
    assert (await router.people.heard(stranger))[0]["text"].startswith("Hello")


async def test_a_background_loop_that_breaks_is_begun_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    working, failures = Receiver.receive, iter([RuntimeError("unforeseen"), KeyError("unforeseen")])

    async def breaking(self: Receiver, *arguments: Any) -> str:
        for error in failures:
            raise error
        return await working(self, *arguments)

    monkeypatch.setattr(Receiver, "receive", breaking)
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        chat = await world.bound_chat(cell)
        await world.people.write(chat, "hello")
        await cell.poll_until(1)
    assert cell.texts() == ["hello"]


async def _polled(cell: Cell, count: int) -> bool:
    answer = await cell.call("getUpdates", timeout=1, **({} if cell.offset is None else {"offset": cell.offset}))
    for update in answer.get("result", []):  # 502 while the database is away, as a library would see it
        cell.got.append(update)
        cell.offset = update["update_id"] + 1
    return len(cell.got) >= count
