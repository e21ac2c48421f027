"""Two tenants behind one bot: whatever A's cell sends with A's token, nothing of B's comes back and nothing reaches B."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from prometheus_client import generate_latest

from clawstack.tokens import TokenKind, issue
from services.traffic.telegram.tokens import register_channel_token, revoke_channel_tokens
from tests.integration.telegram.harness import Cell, World, until
from tests.waiting import patient

_PHOTO = base64.b64encode(b"\x89PNG the family of B").decode()


@dataclass(kw_only=True)
class Pair:
    world: World
    a: Cell
    b: Cell
    chat_a: int
    chat_b: int
    file_b: str
    path_b: str
    callback_b: str
    heard_b: int

    def fill(self, value: Any) -> Any:
        """Names of A's and B's things become their ids."""
        if isinstance(value, dict):
            return {key: self.fill(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self.fill(member) for member in value]
        if isinstance(value, str):
            names = {"$A": self.chat_a, "$B": self.chat_b, "$FILE": self.file_b, "$CALLBACK": self.callback_b}
            if value in names:
                return names[value]
            for name, known in names.items():
                value = value.replace(name, str(known))
        return value

    async def nothing_reached_b(self) -> bool:
        query = {"bot": self.world.people.bot, "after": str(self.heard_b), "all": "1"}
        url = f"{self.world.people.root}/_control/chats/{self.chat_b}/messages"
        async with self.world.http.get(url, params=query) as response:
            return not (await response.json())["messages"]


@pytest.fixture
async def pair(router: World) -> Pair:
    a, b = await router.tenant(), await router.tenant()
    chat_a, chat_b = await router.bound_chat(a), await router.bound_chat(b)
    await router.people.do(chat_b, photo={"base64": _PHOTO, "name": "family.png", "mime_type": "image/png"})
    await b.poll_until(1)
    file_b = b.got[0]["message"]["photo"][-1]["file_id"]
    path_b = (await b.call("getFile", file_id=file_b))["result"]["file_path"]
    keyboard = {"inline_keyboard": [[{"text": "yes", "callback_data": "yes"}]]}
    question = await b.call("sendMessage", chat_id=chat_b, text="sure?", reply_markup=keyboard)
    message_id = question["result"]["message_id"]
    pressed = await router.people.do(chat_b, callback={"message_id": message_id, "data": "yes"})
    await until(lambda: _has(b, 2))
    journal = {"bot": router.people.bot, "after": "0", "all": "1"}
    async with router.http.get(f"{router.people.root}/_control/chats/{chat_b}/messages", params=journal) as response:
        heard_b = (await response.json())["last"]
    return Pair(
        world=router,
        a=a,
        b=b,
        chat_a=chat_a,
        chat_b=chat_b,
        file_b=file_b,
        path_b=path_b,
        callback_b=pressed["callback_query_id"],
        heard_b=heard_b,
    )


async def _has(cell: Cell, count: int) -> bool:
    await cell.poll(timeout=1)
    return len(cell.got) >= count


ATTACKS: list[tuple[str, dict[str, Any]]] = [
    ("sendMessage", {"chat_id": "$B", "text": "x"}),
    ("SENDMESSAGE", {"chat_id": "$B", "text": "x"}),
    ("sendMessage", {"text": "x"}),
    ("sendMessage", {"chat_id": "@somechannel", "text": "x"}),
    ("sendMessage", {"chat_id": ["$B"], "text": "x"}),
    ("sendMessage", {"chat_id": {"id": "$B"}, "text": "x"}),
    ("sendMessage", {"chat_id": True, "text": "x"}),
    ("sendMessage", {"chat_id": "$A", "reply_parameters": {"message_id": 1, "chat_id": "$B"}, "text": "x"}),
    ("sendMessage", {"chat_id": "$A", "reply_parameters": '{"message_id": 1, "chat_id": $B}', "text": "x"}),
    ("sendMessage", {"chat_id": "$A", "reply_parameters": ' \n{"message_id": 1, "chat_id": "$B"}', "text": "x"}),
    ("sendMessage", {"chat_id": "$A", "text": "x", "business_connection_id": "b"}),
    ("sendMessage", {"chat_id": "$A", "text": "x", "allow_paid_broadcast": True}),
    ("forwardMessage", {"chat_id": "$A", "from_chat_id": "$B", "message_id": 1}),
    ("forwardMessages", {"chat_id": "$A", "from_chat_id": "$B", "message_ids": [1]}),
    ("copyMessage", {"chat_id": "$A", "from_chat_id": "$B", "message_id": 1}),
    ("copyMessages", {"chat_id": "$A", "from_chat_id": "$B", "message_ids": [1]}),
    ("forwardMessage", {"chat_id": "$B", "from_chat_id": "$A", "message_id": 1}),
    ("editMessageText", {"chat_id": "$B", "message_id": 3, "text": "x"}),
    ("editMessageText", {"inline_message_id": "5", "text": "x"}),
    ("editMessageReplyMarkup", {"chat_id": "$B", "message_id": 3}),
    ("deleteMessage", {"chat_id": "$B", "message_id": 3}),
    ("deleteMessages", {"chat_id": "$B", "message_ids": [1, 2, 3]}),
    ("sendChatAction", {"chat_id": "$B", "action": "typing"}),
    ("setMessageReaction", {"chat_id": "$B", "message_id": 3, "reaction": []}),
    ("pinChatMessage", {"chat_id": "$B", "message_id": 3}),
    ("getChat", {"chat_id": "$B"}),
    ("getChatMember", {"chat_id": "$B", "user_id": "$B"}),
    ("getChatAdministrators", {"chat_id": "$B"}),
    ("getUserProfilePhotos", {"user_id": "$B"}),
    ("sendPhoto", {"chat_id": "$A", "photo": "$FILE"}),
    ("sendDocument", {"chat_id": "$A", "document": "$FILE"}),
    ("sendVideo", {"chat_id": "$A", "video": "https://example.org/v.mp4", "thumbnail": "$FILE"}),
    ("sendMediaGroup", {"chat_id": "$A", "media": [{"type": "photo", "media": "$FILE"}]}),
    ("sendMediaGroup", {"chat_id": "$A", "media": '[{"type": "photo", "media": "$FILE"}]'}),
    ("editMessageMedia", {"chat_id": "$A", "message_id": 1, "media": {"type": "photo", "media": "$FILE"}}),
    ("getFile", {"file_id": "$FILE"}),
    ("answerCallbackQuery", {"callback_query_id": "$CALLBACK", "text": "x"}),
    ("logOut", {}),
    ("close", {}),
    ("sendInvoice", {"chat_id": "$A", "title": "x"}),
    ("sendGift", {"chat_id": "$A", "gift_id": "1"}),
    ("answerInlineQuery", {"inline_query_id": "1", "results": []}),
    ("getBusinessConnection", {"business_connection_id": "1"}),
    ("banChatSenderChat", {"chat_id": "$A", "sender_chat_id": "$B"}),
    ("noSuchMethod", {"chat_id": "$A"}),
]


@pytest.mark.parametrize("way", ["json", "form", "query", "multipart"])
async def test_no_call_of_a_touches_b(pair: Pair, way: str) -> None:
    for method, template in ATTACKS:
        fields = pair.fill(template)
        answer = await _send(pair, method, fields, way)
        assert answer["ok"] is False, (way, method, fields)
        assert answer["error_code"] in {400, 403}, (way, method, answer)
        assert "B" not in json.dumps(answer.get("result", "")), answer
    assert await pair.nothing_reached_b()


async def _send(pair: Pair, method: str, fields: dict[str, Any], way: str) -> dict[str, Any]:
    strings = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    url = pair.a.url(method)
    match way:
        case "json":
            request = pair.world.http.post(url, json=fields)
        case "form":
            request = pair.world.http.post(url, data=strings)
        case "query":
            request = pair.world.http.get(f"{url}?{urlencode(strings)}")
        case _:
            form = aiohttp.FormData(default_to_multipart=True)
            form.add_field("unrelated", b"x", filename="x.txt")
            for name, value in strings.items():
                form.add_field(name, value)
            request = pair.world.http.post(url, data=form)
    async with request as response:
        answer = dict(await response.json())
        assert response.status == answer.get("error_code", 200)
        return answer


_AMBIGUOUS: list[tuple[str, str, str]] = [
    # Two values for one name, in every place: which one counts must not be left to luck.
    ("application/json", "", '{"chat_id": $A, "chat_id": $B, "text": "x"}'),
    ("application/json", "", '{"chat_id": $B, "chat_id": $A, "text": "x"}'),
    ("application/json", "chat_id=$B", '{"chat_id": $A, "text": "x"}'),
    ("application/x-www-form-urlencoded", "", "chat_id=$A&chat_id=$B&text=x"),
    ("application/x-www-form-urlencoded", "chat_id=$B", "chat_id=$A&text=x"),
    ("multipart/form-data; boundary=q", "", "--q\r\n{0}$A\r\n--q\r\n{0}$B\r\n--q--\r\n"),
    # Numbers that other parsers may read as B's.
    ("application/json", "", '{"chat_id": $B.0, "text": "x"}'),
    ("application/json", "", '{"chat_id": "+$B", "text": "x"}'),
    ("application/json", "", '{"chat_id": " $B", "text": "x"}'),
    ("application/json", "", '{"chat_id": "$B\\u0000", "text": "x"}'),
    ("application/json", "", '{"chat_id": "0$B", "text": "x"}'),
    ("application/json", "", '{"chat_id": "$Be0", "text": "x"}'),
    ("application/json", "", '{"chat_id": "\\uff11", "text": "x"}'),
    ("application/json", "", '{"chat_id": 9223372036854775808, "text": "x"}'),
    # Bodies that only a lenient parser reads.
    ("application/json", "", '{"chat_id": $A, "reply_parameters": "{\\"chat_id\\": $B,}", "text": "x"}'),
    (
        "application/json",
        "",
        '{"chat_id": $A, "reply_parameters": "{\\"chat_id\\":$A,\\"chat_id\\":$B}", "text": "x"}',
    ),
    ("application/json", "", '[{"chat_id": $B, "text": "x"}]'),
    ("application/json", "", '{"chat_id": $B, "text": "x"'),
    ("application/json", "", "[" * 50_000),
    ("text/plain", "", '{"chat_id": $B, "text": "x"}'),
    ("multipart/form-data", "", "--q\r\n"),
    ("multipart/form-data; boundary=q", "", "garbage"),
    ("multipart/form-data; boundary=q", "", "--q\r\nContent-Disposition: form-data\r\n\r\nx\r\n--q--\r\n"),
    (
        "multipart/form-data; boundary=q",
        "chat_id=$A",
        '--q\r\nContent-Disposition: form-data; name="from_chat_id"; filename="f"\r\n\r\n$B\r\n--q--\r\n',
    ),
]


async def test_malformed_and_ambiguous_bodies_reach_nobody(pair: Pair) -> None:
    for content_type, query, template in _AMBIGUOUS:
        body = template.replace("{0}", 'Content-Disposition: form-data; name="chat_id"\r\n\r\n')
        raw = str(pair.fill(body)).encode()
        url = f"{pair.a.url('sendMessage')}?{pair.fill(query)}"
        async with pair.world.http.post(url, data=raw, headers={"Content-Type": content_type}) as response:
            answer = await response.json()
            assert (response.status, answer["ok"]) == (400, False), (content_type, query, body[:200], answer)
    assert await pair.nothing_reached_b()


async def test_a_does_not_see_bs_updates(pair: Pair) -> None:
    await pair.world.people.write(pair.chat_b, "for B only")
    await pair.b.poll_until(3)
    assert await pair.a.poll(timeout=1) == []
    assert (await pair.a.call("getWebhookInfo"))["result"]["pending_update_count"] == 0


async def test_a_cannot_confirm_or_drop_bs_updates(pair: Pair) -> None:
    await pair.world.people.write(pair.chat_b, "for B only")
    await until(lambda: _pending(pair.b))
    await pair.a.call("getUpdates", offset=10**15)
    await pair.a.call("getUpdates", offset=-1)
    await pair.a.call("deleteWebhook", drop_pending_updates=True)
    await pair.b.poll_until(3)


async def test_bs_file_is_for_b_only(pair: Pair) -> None:
    paths = [pair.path_b, f"./{pair.path_b}", f"x/../{pair.path_b}", f"/{pair.path_b}", f"%2e%2e/{pair.path_b}"]
    for path in paths:
        url = f"{pair.world.root}/telegram/file/bot{pair.a.token.reveal()}/{path}"
        async with pair.world.http.get(url) as response:
            assert response.status in {404, 307}, path
            assert b"family" not in await response.read()
    url = f"{pair.world.root}/telegram/file/bot{pair.b.token.reveal()}/{pair.path_b}"
    async with pair.world.http.get(url) as response:
        assert (response.status, await response.read()) == (200, b"\x89PNG the family of B")


async def test_words_that_look_like_json_are_only_words(pair: Pair) -> None:
    words = f'{{"chat_id": {pair.chat_b}}}'
    answer = await pair.a.call("sendMessage", chat_id=pair.chat_a, text=words)
    assert answer["result"]["text"] == words
    assert await pair.nothing_reached_b()


async def test_other_tokens_open_nothing(pair: Pair) -> None:
    good = pair.a.token.reveal()
    others = [
        good[:-43] + pair.b.token.secret,
        good[:-1],
        issue(TokenKind.PROXY).reveal(),
        "x",
        pair.world.people.token,
    ]
    unauthorized = {"ok": False, "error_code": 401, "description": "Unauthorized"}
    for other in others:
        for method in ("getMe", "getUpdates", "sendMessage"):
            async with pair.world.http.get(f"{pair.world.root}/telegram/bot{other}/{method}") as response:
                assert (response.status, await response.json()) == (401, unauthorized)
        async with pair.world.http.get(f"{pair.world.root}/telegram/file/bot{other}/{pair.path_b}") as response:
            assert response.status == 401


async def test_a_revoked_token_is_shut_out_within_two_seconds_even_while_it_polls(pair: Pair) -> None:
    poll = asyncio.create_task(pair.a.call("getUpdates", timeout=20))
    await until(lambda: _polls(pair.world))
    async with pair.world.database.transaction() as session:
        await revoke_channel_tokens(session, pair.a.tenant_id)
    revoked_at = time.monotonic()
    await until(lambda: _refused(pair.a), patience=2)
    await pair.world.people.write(pair.chat_a, "must not be handed out")
    assert (await poll)["error_code"] == 401
    assert time.monotonic() - revoked_at < patient(5)
    fresh = issue(TokenKind.CHANNEL)
    async with pair.world.database.transaction() as session:
        await register_channel_token(session, pair.a.tenant_id, fresh)
    pair.a.token = fresh
    await pair.a.poll_until(1)
    assert pair.a.texts() == ["must not be handed out"]


async def _polls(world: World) -> bool:
    return b"clawstack_telegram_waiting_polls 1.0" in generate_latest(world.platform.metrics)


async def _refused(cell: Cell) -> bool:
    return (await cell.call("getMe")).get("error_code") == 401


async def _pending(cell: Cell) -> bool:
    return bool((await cell.call("getWebhookInfo"))["result"]["pending_update_count"])


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("getFile", {"file_id": "a\0b"}),
        ("answerCallbackQuery", {"callback_query_id": "\0"}),
        ("getUpdates", {"timeout": 0, "allowed_updates": ["\0"]}),
        ("setWebhook", {"url": "http://127.0.0.1:9/\0", "secret_token": "\0"}),
        ("getFile", {"file_id": "a\ud800b"}),
    ],
)
async def test_text_that_cannot_be_stored_is_a_bad_request(router: World, method: str, fields: dict[str, Any]) -> None:
    cell = await router.tenant()
    answer = await cell.call(method, **fields)
    assert not answer["ok"]
    assert 400 <= answer["error_code"] < 500, answer


async def test_a_file_whose_path_has_a_nul_is_a_bad_request(router: World) -> None:
    cell = await router.tenant()
    url = f"{cell.root}/telegram/file/bot{cell.token.reveal()}/photos/%00"
    async with router.http.get(url) as response:
        assert response.status == 400
