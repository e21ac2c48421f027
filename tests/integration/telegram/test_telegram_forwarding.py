"""What reaches the real Bot API, what comes back, and that its token goes nowhere else."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from aiohttp import web
from pydantic import SecretStr

from clawstack import logs
from clawstack.redaction import Redactor
from services.traffic.telegram.repository import chats
from tests.integration.telegram.harness import BRISK, Cell, World, serving, settings_for, until
from tests.integration.telegram.upstream import Seen, Upstream, told_upstream

_CHAT = 4711


@dataclass(kw_only=True)
class Stage:
    world: World
    cell: Cell
    upstream: Upstream
    log: io.StringIO


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    """All log lines of this process, with an empty redactor: the router itself must keep secrets out of them."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    log = io.StringIO()
    logs.configure(redactor=Redactor(), level="DEBUG", stream=log)
    yield log
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def stage(world: World, log: io.StringIO) -> AsyncIterator[Stage]:
    """A router in front of a Bot API that does as it is told; one cell with one chat; all log lines at hand."""
    async with told_upstream() as upstream:
        settings = settings_for(
            world.people,
            data_dir=world.platform.settings.data_dir,
            telegram_api_root=upstream.root,
            telegram_bot_username="ToldBot",
            telegram_intake="off",
        )
        world.platform = replace(world.platform, settings=settings)
        timings = replace(BRISK, upstream_timeout=timedelta(seconds=2))
        async with serving(world.platform, timings=timings) as root:
            world.root = root
            cell = await world.tenant()
            async with world.database.transaction() as session:
                await chats.bind(session, "ToldBot", _CHAT, cell.tenant_id)
            yield Stage(world=world, cell=cell, upstream=upstream, log=log)


async def test_a_call_arrives_as_it_was_meant(stage: Stage) -> None:
    fields = {
        "chat_id": str(_CHAT),
        "text": "Grüße 👋 & <b>so</b>",
        "latitude": 48.858844,
        "reply_markup": {"inline_keyboard": [[{"text": "ja", "callback_data": "1"}]]},
        "disable_notification": True,
        "link_preview_options": '{"is_disabled":true}',
    }
    assert (await stage.cell.call("sendmessage", **fields))["ok"]
    [seen] = stage.upstream.seen
    assert seen.method == "sendMessage"
    assert seen.fields == fields | {"chat_id": _CHAT, "link_preview_options": {"is_disabled": True}}
    assert seen.path.startswith(f"/bot{stage.world.people.token}/")


async def test_form_and_query_calls_arrive_as_they_were_meant(stage: Stage) -> None:
    keyboard = '{"inline_keyboard": []}'
    data = {"chat_id": str(_CHAT), "text": "a+b & c=ü", "reply_markup": keyboard}
    async with stage.world.http.post(stage.cell.url("sendMessage"), data=data) as response:
        assert response.status == 200
    async with stage.world.http.get(
        stage.cell.url("getChatMember"), params={"chat_id": _CHAT, "user_id": 7}
    ) as response:
        assert response.status == 200
    first, second = stage.upstream.seen
    assert first.fields == data
    assert (second.method, second.fields) == ("getChatMember", {"chat_id": str(_CHAT), "user_id": "7"})


async def test_an_upload_in_grammys_own_bytes_arrives_whole(stage: Stage) -> None:
    """grammY writes no spaces, no quotes around file names and puts files last."""
    content = bytes(range(256)) * 40_000  # 10 MB of everything
    media = json.dumps([{"type": "photo", "media": "attach://k3j4h5", "caption": "Ü"}], ensure_ascii=False)
    boundary = "----------abcdefghijklmnopqrstuvwxyz012345"
    head = (
        f'--{boundary}\r\ncontent-disposition:form-data;name="chat_id"\r\n\r\n{_CHAT}'
        f'\r\n--{boundary}\r\ncontent-disposition:form-data;name="media"\r\n\r\n{media}'
        f'\r\n--{boundary}\r\ncontent-disposition:form-data;name="k3j4h5";filename=fämily photo.jpg\r\n'
        "content-type:application/octet-stream\r\n\r\n"
    ).encode()
    body = io.BytesIO(head + content + f"\r\n--{boundary}--\r\n".encode())
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    async with stage.world.http.post(stage.cell.url("sendMediaGroup"), data=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    [seen] = stage.upstream.seen
    assert seen.fields["chat_id"] == str(_CHAT)
    assert json.loads(seen.fields["media"]) == json.loads(media)
    name, content_type, received = seen.files["k3j4h5"]
    assert (name, content_type) == ("fämily photo.jpg", "application/octet-stream")
    assert received == content


async def test_an_upload_beyond_the_bot_apis_limit_is_refused(stage: Stage) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=q", "Content-Length": str(60 * 1024 * 1024)}
    body = io.BytesIO(b"x" * (60 * 1024 * 1024))
    async with stage.world.http.post(stage.cell.url("sendDocument"), data=body, headers=headers) as response:
        assert response.status == 413
        assert (await response.json())["error_code"] == 413
    assert stage.upstream.seen == []


async def test_floods_are_passed_on_with_their_delay(stage: Stage) -> None:
    flood = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 17}}
    stage.upstream.reply(429, flood)
    async with stage.world.http.post(stage.cell.url("sendMessage"), json={"chat_id": _CHAT, "text": "x"}) as response:
        assert (response.status, response.headers["Retry-After"], await response.json()) == (429, "17", flood)


async def test_refusals_are_passed_on_word_for_word(stage: Stage) -> None:
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: message is not modified: ü"}
    stage.upstream.reply(400, refusal)
    assert await stage.cell.call("editMessageText", chat_id=_CHAT, message_id=1, text="x") == refusal


def _break(stage: Stage, how: str) -> None:
    token = stage.world.people.token
    match how:
        case "html":
            stage.upstream.reply(502, f"<html>{token}</html>".encode())
        case "5xx":
            stage.upstream.reply(500, {"ok": False, "error_code": 500, "description": f"oops at /bot{token}/x"})
        case "unauthorized":
            stage.upstream.reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        case "redirect":
            stage.upstream.reply(302, b"", Location=f"http://127.0.0.1:1/bot{token}/x")
        case "garbage":
            stage.upstream.reply(200, b"\xff\x00")
        case "truncated":

            async def truncated(_: Seen) -> web.StreamResponse:
                return web.Response(body=b'{"ok": tr', headers={"Content-Length": "500"})

            stage.upstream.answer = truncated
        case _:

            async def silent(_: Seen) -> web.StreamResponse:
                await asyncio.sleep(30)
                return web.Response()

            stage.upstream.answer = silent


@pytest.mark.parametrize("how", ["html", "5xx", "unauthorized", "redirect", "garbage", "truncated", "silent"])
async def test_a_broken_upstream_is_a_bad_gateway_and_never_shows_the_token(stage: Stage, how: str) -> None:
    _break(stage, how)
    fields = {"chat_id": _CHAT, "text": "x"}
    async with stage.world.http.post(stage.cell.url("sendMessage"), json=fields) as response:
        text = await response.text()
    assert response.status == 502, text
    assert json.loads(text)["error_code"] == 502
    _assert_clean(stage, text)


async def test_the_token_in_a_good_answer_is_struck_out(stage: Stage) -> None:
    token = stage.world.people.token
    stage.upstream.reply(200, {"ok": True, "result": {"file_path": f"/var/lib/{token}/x", "message_id": 1}})
    answer = await stage.cell.call("sendMessage", chat_id=_CHAT, text="x")
    assert answer["result"]["file_path"] == "/var/lib/[secret]/x"
    _assert_clean(stage, json.dumps(answer))


async def test_an_upstream_that_is_gone(world: World, log: io.StringIO) -> None:
    settings = settings_for(
        world.people, data_dir=world.platform.settings.data_dir, telegram_api_root="http://127.0.0.1:1"
    )
    world.platform = replace(world.platform, settings=settings)
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        answers = [await cell.call("getMe"), await cell.call("sendMessage", chat_id=1, text="x")]
        assert [answer["error_code"] for answer in answers] == [502, 502]
        await until(lambda: _logged(log, "telegram_bot_unreachable"))
    assert world.people.token not in log.getvalue() + json.dumps(answers)


async def test_without_a_bot_token_the_router_says_so(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"telegram_bot_token": None})
    world.platform = replace(world.platform, settings=settings)
    async with serving(world.platform) as root:
        world.root = root
        cell = await world.tenant()
        answer = await cell.call("getMe")
        assert (answer["error_code"], answer["description"]) == (502, "Bad Gateway: No Telegram bot is configured.")


async def test_one_cell_cannot_take_all_connections(stage: Stage) -> None:
    release = asyncio.Event()

    async def slow(_: Seen) -> web.StreamResponse:
        await release.wait()
        return web.json_response({"ok": True, "result": {}})

    stage.upstream.answer = slow
    calls = [asyncio.create_task(stage.cell.call("sendMessage", chat_id=_CHAT, text="x")) for _ in range(30)]
    await until(lambda: _done(calls, 14))
    release.set()
    answers = await asyncio.gather(*calls)
    refused = [answer for answer in answers if not answer["ok"]]
    assert len(refused) == 14
    assert {answer["parameters"]["retry_after"] for answer in refused} == {1}


async def test_an_internal_error_is_told_without_details(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"somebody's words, and {stage.world.people.token}")

    monkeypatch.setattr(chats, "chats_of", broken)
    answer = await stage.cell.call("sendMessage", chat_id=_CHAT, text="x")
    assert answer == {"ok": False, "error_code": 500, "description": "Internal Server Error"}
    assert "telegram_call_failed" in stage.log.getvalue()
    assert "somebody's words" not in stage.log.getvalue()
    _assert_clean(stage, "")


def _assert_clean(stage: Stage, shown: str) -> None:
    token = stage.world.people.token
    secret = token.partition(":")[2]
    for text in (shown, stage.log.getvalue()):
        assert token not in text
        assert secret not in text
        assert stage.cell.token.secret not in text
    assert SecretStr(token) == stage.world.platform.settings.telegram_bot_token


async def _logged(log: io.StringIO, word: str) -> bool:
    return word in log.getvalue()


async def _done(tasks: list[asyncio.Task[dict[str, Any]]], count: int) -> bool:
    return sum(task.done() for task in tasks) >= count
