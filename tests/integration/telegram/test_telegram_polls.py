"""getUpdates: woken by the database, confirmed by offsets, one poll per cell."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from services.traffic.telegram.model.schemas import Retention, SeenKind
from services.traffic.telegram.repository import seen
from services.traffic.telegram.retention import prune
from tests.integration.telegram.harness import BRISK, Cell, World, serving, until
from tests.waiting import patient

#: Nothing looks by itself: what arrives was announced.
_ONLY_CALLS = replace(BRISK, recheck=timedelta(hours=1))


@pytest.fixture
async def called(world: World) -> AsyncIterator[World]:
    """A router whose polls wake only when they are called."""
    async with serving(world.platform, timings=_ONLY_CALLS) as root:
        world.root = root
        yield world


async def test_a_waiting_poll_is_woken_by_the_update_itself(called: World) -> None:
    cell = await called.tenant()
    chat = await called.bound_chat(cell)
    poll = asyncio.create_task(cell.poll(timeout=40))
    await until(lambda: _polls(called, 1))
    await called.people.write(chat, "wake up")
    async with asyncio.timeout(patient(5)):
        assert [update["message"]["text"] for update in await poll] == ["wake up"]


async def test_an_update_of_another_process_wakes_it_too(called: World) -> None:
    cell = await called.tenant()
    chat = await called.bound_chat(cell)
    other = replace(called.platform, metrics=CollectorRegistry())
    async with serving(other, timings=_ONLY_CALLS) as root:
        cell.root = root
        poll = asyncio.create_task(cell.poll(timeout=40))
        await until(lambda: _polls(replace(called, platform=other), 1))
        await called.people.write(chat, "wake up")
        async with asyncio.timeout(patient(5)):
            assert len(await poll) == 1


async def test_a_poll_survives_the_loss_of_the_listening_connection(called: World) -> None:
    cell = await called.tenant()
    chat = await called.bound_chat(cell)
    poll = asyncio.create_task(cell.poll(timeout=40))
    await until(lambda: _polls(called, 1))
    listeners = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    assert await called.scalar(listeners) >= 1
    await called.people.write(chat, "said while nobody listened")
    async with asyncio.timeout(patient(10)):
        assert len(await poll) == 1


async def test_a_poll_ends_empty_when_its_time_is_over(router: World) -> None:
    cell = await router.tenant()
    assert await cell.poll(timeout=1) == []


async def test_a_second_poll_ends_the_first_as_the_original_does(router: World) -> None:
    cell = await router.tenant()
    first = asyncio.create_task(cell.call("getUpdates", timeout=30))
    await until(lambda: _polls(router, 1))
    second = asyncio.create_task(cell.call("getUpdates", timeout=2))
    answer = await first
    assert (answer["error_code"], answer["description"][:44]) == (409, "Conflict: terminated by other getUpdates req")
    assert (await second)["result"] == []


async def test_also_when_it_comes_to_another_process(router: World) -> None:
    cell = await router.tenant()
    first = asyncio.create_task(cell.call("getUpdates", timeout=30))
    await until(lambda: _polls(router, 1))
    async with serving(replace(router.platform, metrics=CollectorRegistry())) as root:
        assert (await replace(cell, root=root).call("getUpdates", timeout=1))["ok"]
        assert (await first)["error_code"] == 409


async def test_polls_of_two_cells_do_not_disturb_each_other(router: World) -> None:
    first, second = await router.tenant(), await router.tenant()
    polls = [asyncio.create_task(cell.call("getUpdates", timeout=2)) for cell in (first, second)]
    assert [answer["ok"] for answer in await asyncio.gather(*polls)] == [True, True]


async def test_a_cell_that_hangs_up_leaves_no_poll_behind(router: World) -> None:
    cell = await router.tenant()
    poll = asyncio.create_task(cell.call("getUpdates", timeout=50))
    await until(lambda: _polls(router, 1))
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    await until(lambda: _polls(router, 0))


async def test_updates_come_again_until_an_offset_confirms_them(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    for number in range(4):
        await router.people.write(chat, f"m{number}")
    await until(lambda: _pending(cell, 4))
    everything = (await cell.call("getUpdates"))["result"]
    assert (await cell.call("getUpdates"))["result"] == everything
    assert (await cell.call("getUpdates", limit=2))["result"] == everything[:2]
    second = everything[1]["update_id"]
    assert (await cell.call("getUpdates", offset=second + 1))["result"] == everything[2:]
    assert (await cell.call("getUpdates", offset=0))["result"] == everything[2:]
    assert (await cell.call("getUpdates", offset=-1))["result"] == everything[3:]
    assert (await cell.call("getUpdates"))["result"] == everything[3:]


async def test_a_cell_with_an_offset_from_another_life_loses_nothing(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    cell.offset = 2**40
    await cell.poll()
    await router.people.write(chat, "hello")
    await until(lambda: _pending(cell, 1))
    assert [update["message"]["text"] for update in await cell.poll()] == ["hello"]


async def test_a_restored_database_does_not_number_below_what_cells_confirmed(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "before")
    await cell.poll_until(1)
    before = cell.got[-1]["update_id"]
    async with router.database.transaction() as session:
        await session.execute(text("UPDATE telegram_updates SET sequence = 7 WHERE sequence IS NOT NULL"))
        await session.execute(text("UPDATE telegram_virtual_bots SET last_sequence = 7, served_sequence = 7"))
    await asyncio.sleep(1.1)  # numbers follow the clock's seconds; a restore takes longer
    await router.people.write(chat, "after")
    await cell.poll_until(2)
    assert cell.got[-1]["update_id"] > before


async def test_a_cell_gets_only_the_kinds_it_asks_for(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    first = (await router.people.write(chat, "one"))["message"]["message_id"]
    await cell.poll_until(1)
    reaction = {"reaction": {"message_id": first, "emoji": "👍"}}
    await router.people.do(chat, **reaction)
    await until(lambda: _pending(cell, 1))
    assert await cell.poll() == []  # reactions only for those who ask for them
    await cell.poll(allowed_updates=["message_reaction"])
    await router.people.do(chat, reaction={"message_id": first, "emoji": "❤"})
    await router.people.write(chat, "two")
    await until(lambda: _outcomes(router, "not_asked_for", 1))
    await until(lambda: _pending(cell, 2))
    [update] = await cell.poll()
    assert update["message_reaction"]["new_reaction"][0]["emoji"] == "❤"


async def test_nonsense_is_refused(router: World) -> None:
    cell = await router.tenant()
    nonsense: list[dict[str, object]] = [{"offset": "x"}, {"limit": 1.5}, {"timeout": [1]}, {"offset": 10**30}]
    nonsense += [{"allowed_updates": "message"}, {"allowed_updates": [1]}, {"allowed_updates": ["x"] * 1000}]
    for wish in nonsense:
        assert (await cell.call("getUpdates", **wish)).get("error_code") == 400, wish


async def test_files_that_people_sent_can_be_downloaded(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    content = bytes(range(256)) * 2_800
    file = {"base64": base64.b64encode(content).decode(), "name": "report.pdf", "mime_type": "application/pdf"}
    await router.people.do(chat, document=file)
    await cell.poll_until(1)
    found = (await cell.call("getFile", file_id=cell.got[0]["message"]["document"]["file_id"]))["result"]
    url = f"{router.root}/telegram/file/bot{cell.token.reveal()}/{found['file_path']}"
    async with router.http.get(url) as response:
        assert await response.read() == content
        assert int(response.headers["Content-Length"]) == len(content)
    async with router.http.get(url + "x") as response:
        assert (response.status, (await response.json())["ok"]) == (404, False)


async def test_what_a_cell_sent_it_may_send_again(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    data = {"chat_id": str(chat), "photo": io.BytesIO(b"\x89PNG\r\n\x1a\n a picture")}
    async with router.http.post(cell.url("sendPhoto"), data=data) as response:
        sent = (await response.json())["result"]["photo"][-1]["file_id"]
    again = await cell.call("sendPhoto", chat_id=chat, photo=sent)
    assert again["result"]["photo"][-1]["file_id"] == sent


async def test_a_pressed_button_can_be_answered_by_its_cell(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    keyboard = {"inline_keyboard": [[{"text": "yes", "callback_data": "yes"}]]}
    question = await cell.call("sendMessage", chat_id=chat, text="sure?", reply_markup=keyboard)
    await router.people.do(chat, callback={"message_id": question["result"]["message_id"], "data": "yes"})
    await cell.poll_until(1)
    query = cell.got[0]["callback_query"]
    assert query["data"] == "yes"
    assert (await cell.call("answerCallbackQuery", callback_query_id=query["id"], text="ok"))["result"] is True


async def test_answers_to_a_poll_reach_the_cell_that_asked(router: World) -> None:
    asking, other = await router.tenant(), await router.tenant()
    chat = await router.bound_chat(asking)
    sent = await asking.call("sendPoll", chat_id=chat, question="Pizza?", options=[{"text": "yes"}, {"text": "no"}])
    vote = {"poll_id": sent["result"]["poll"]["id"], "user": {"id": chat}, "option_ids": [0]}
    assert await router.post_update({"update_id": 999_999_999, "poll_answer": vote}) == 200
    assert await router.post_update({"update_id": 999_999_998, "poll_answer": vote | {"poll_id": "0"}}) == 200
    await asking.poll_until(1)
    assert asking.got[0]["poll_answer"] == vote
    assert await other.poll() == []


async def test_old_rows_are_forgotten_and_young_ones_kept(router: World) -> None:
    cell = await router.tenant()
    chat = await router.bound_chat(cell)
    await router.people.write(chat, "old")
    await cell.poll_until(1)
    async with router.database.transaction() as session:
        await seen.note(session, cell.tenant_id, SeenKind.CALLBACK, [f"c{number}" for number in range(2500)])
    assert await prune(router.database, Retention()) == 0
    everything = Retention(**{name: timedelta(0) for name in Retention.__dataclass_fields__})
    await router.people.write(chat, "young, undelivered")
    await until(lambda: _pending(cell, 1))
    keeping = replace(everything, waiting_updates=timedelta(days=30))
    assert await prune(router.database, keeping) >= 2500
    assert await router.scalar("SELECT count(*) FROM telegram_seen") == 0
    await cell.poll_until(2)
    assert cell.texts()[-1] == "young, undelivered"


async def _polls(world: World, count: int) -> bool:
    return f"clawstack_telegram_waiting_polls {count}.0".encode() in generate_latest(world.platform.metrics)


async def _pending(cell: Cell, count: int) -> bool:
    return bool((await cell.call("getWebhookInfo"))["result"]["pending_update_count"] == count)


async def _outcomes(world: World, outcome: str, count: int) -> bool:
    return (await world.outcomes()).count(outcome) == count
