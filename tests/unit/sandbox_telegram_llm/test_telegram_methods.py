"""What bots send and change, and what they are refused in the original's words."""

import base64
from typing import Any

import pytest

from sandbox.telegram.model.config import DEFAULT_TOKEN
from tests.unit.sandbox_telegram_llm.conftest import TelegramSide


async def test_tokens_and_methods_are_told_apart(telegram: TelegramSide) -> None:
    me = await telegram.result("getMe")
    assert me["id"] == 123456789
    assert me["is_bot"] is True
    assert (await telegram.refusal("noSuchMethod")) == (404, "Not Found")
    telegram.token = DEFAULT_TOKEN[:-1] + "X"
    assert (await telegram.refusal("getMe")) == (401, "Unauthorized")
    telegram.token = "placeholder"
    assert (await telegram.refusal("getMe")) == (404, "Not Found")


@pytest.mark.parametrize("way", ["query", "form", "multipart", "json"])
async def test_all_ways_to_pass_parameters(telegram: TelegramSide, way: str) -> None:
    await telegram.act(text="hi")
    url, values = f"/bot{telegram.token}/SENDMESSAGE", {"chat_id": "42", "text": "there"}
    match way:
        case "query":
            response = await telegram.http.get(url, params=values)
        case "form":
            response = await telegram.http.post(url, data=values)
        case "multipart":
            response = await telegram.http.post(url, files={name: (None, value) for name, value in values.items()})
        case _:
            response = await telegram.http.post(url, json=values)
    assert response.json()["result"]["text"] == "there"


async def test_a_bot_cannot_write_first(telegram: TelegramSide) -> None:
    await telegram.journal(42)  # to be watched is not to be met
    assert await telegram.refusal("sendMessage", chat_id=42, text="hi") == (400, "Bad Request: chat not found")


async def test_blocking_and_writing_again(telegram: TelegramSide) -> None:
    await telegram.act(text="hi")
    await telegram.http.post("/_control/block", json={"chat_id": 42})
    for method in ("sendMessage", "sendChatAction"):
        code, words = await telegram.refusal(method, chat_id=42, text="x", action="typing")
        assert (code, words) == (403, "Forbidden: bot was blocked by the user")
    change = (await telegram.result("getUpdates"))[-1]["my_chat_member"]
    assert change["new_chat_member"]["status"] == "kicked"
    await telegram.act(text="I am back")
    assert (await telegram.result("sendMessage", chat_id=42, text="welcome"))["text"] == "welcome"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "  "}, "message text is empty"),
        ({"text": "<b>open", "parse_mode": "HTML"}, "can't parse entities: Can't find end tag"),
        ({"text": "<h1>no</h1>", "parse_mode": "HTML"}, 'can\'t parse entities: Unsupported start tag "h1"'),
        ({"text": "x", "parse_mode": "rich"}, "unsupported parse_mode"),
        ({"text": "x", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
        ({"text": "x", "reply_markup": "{broken"}, "can't parse reply markup JSON object"),
    ],
)
async def test_refused_messages(telegram: TelegramSide, params: dict[str, object], words: str) -> None:
    await telegram.act(text="hi")
    code, description = await telegram.refusal("sendMessage", chat_id=42, **params)
    assert code == 400
    assert words in description


async def test_longest_message_counts_utf16_units_after_formatting(telegram: TelegramSide) -> None:
    await telegram.act(text="hi")
    exact = "<b>" + "😀" * 2048 + "</b>"
    message = await telegram.result("sendMessage", chat_id=42, text=exact, parse_mode="HTML")
    assert message["entities"] == [{"type": "bold", "offset": 0, "length": 4096}]
    assert (await telegram.refusal("sendMessage", chat_id=42, text="😀" * 2048 + "x"))[0] == 400


async def test_edit_and_delete(telegram: TelegramSide) -> None:
    users = (await telegram.act(text="hi"))["message"]["message_id"]
    sent = await telegram.result("sendMessage", chat_id=42, text="draft")
    at = {"chat_id": 42, "message_id": sent["message_id"]}
    edited = await telegram.result("editMessageText", **at, text="final")
    assert (edited["text"], edited["message_id"]) == ("final", sent["message_id"])
    assert "message is not modified" in (await telegram.refusal("editMessageText", **at, text="final"))[1]
    assert "can't be edited" in (await telegram.refusal("editMessageText", chat_id=42, message_id=users, text="x"))[1]
    assert await telegram.result("deleteMessage", **at) is True
    assert "message to edit not found" in (await telegram.refusal("editMessageText", **at, text="x"))[1]
    assert "message to delete not found" in (await telegram.refusal("deleteMessage", **at))[1]
    lines = await telegram.journal(42)
    assert [line["kind"] for line in lines] == ["message", "edited", "deleted"]
    assert [line["seq"] for line in lines] == [2, 3, 4]


async def test_button_press_and_its_answer(telegram: TelegramSide) -> None:
    await telegram.act(text="hi")
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    sent = await telegram.result("sendMessage", chat_id=42, text="Sure?", reply_markup=keyboard)
    assert sent["reply_markup"] == keyboard
    await telegram.act(callback={"message_id": sent["message_id"], "data": "yes"})
    query = (await telegram.result("getUpdates"))[-1]["callback_query"]
    assert (query["data"], query["message"]["text"]) == ("yes", "Sure?")
    assert await telegram.result("answerCallbackQuery", callback_query_id=query["id"], text="Noted") is True
    assert "query ID is invalid" in (await telegram.refusal("answerCallbackQuery", callback_query_id=query["id"]))[1]
    assert (await telegram.journal(42, all=1))[-1]["message"]["text"] == "Noted"


async def test_files_go_both_ways(telegram: TelegramSide) -> None:
    content = bytes(range(256))
    photo = {"base64": base64.b64encode(content).decode(), "name": "a.png", "caption": "look"}
    message = (await telegram.act(photo=photo))["message"]
    assert message["caption"] == "look"
    info = await telegram.result("getFile", file_id=message["photo"][-1]["file_id"])
    assert info["file_size"] == 256
    download = await telegram.http.get(f"/file/bot{telegram.token}/{info['file_path']}")
    assert download.content == content
    assert (await telegram.http.get(f"/file/bot{telegram.token}/photos/none")).status_code == 404
    upload = await telegram.http.post(
        f"/bot{telegram.token}/sendDocument",
        data={"chat_id": "42", "document": "attach://part"},
        files={"part": ("plan.txt", b"plan", "text/plain")},
    )
    document = upload.json()["result"]["document"]
    assert (document["file_name"], document["file_size"]) == ("plan.txt", 4)
    again = await telegram.result("sendDocument", chat_id=42, document=document["file_id"])
    assert again["document"]["file_id"] == document["file_id"]
    assert "wrong file identifier" in (await telegram.refusal("sendDocument", chat_id=42, document="nonsense"))[1]


async def test_commands_are_kept_per_scope(telegram: TelegramSide) -> None:
    commands = [{"command": "help", "description": "Help"}]
    await telegram.result("setMyCommands", commands=commands)
    assert await telegram.result("getMyCommands") == commands
    assert await telegram.result("getMyCommands", scope={"type": "all_group_chats"}) == []
    await telegram.result("deleteMyCommands")
    assert await telegram.result("getMyCommands") == []


async def test_groups_hide_what_is_not_meant_for_the_bot(telegram: TelegramSide) -> None:
    group: dict[str, Any] = {"chat_id": -100500, "title": "Family", "user": {"id": 7, "first_name": "Kim"}}
    for text in ("just talk", "/help", "hello @ClawstackSandboxBot"):
        await telegram.act(**group, text=text)
    seen = [u["message"]["text"] for u in await telegram.result("getUpdates")]
    assert seen == ["/help", "hello @ClawstackSandboxBot"]
    answer = await telegram.result("sendMessage", chat_id=-100500, text="here")
    assert answer["chat"] == {"id": -100500, "type": "supergroup", "title": "Family"}
    assert (await telegram.result("getChatMember", chat_id=-100500, user_id=7))["status"] == "member"
    assert [line["message"]["text"] for line in await telegram.journal(-100500)] == ["here"]


async def test_faults_are_used_up(telegram: TelegramSide) -> None:
    await telegram.act(text="hi")
    order = {"kind": "flood", "method": "sendMessage", "retry_after": 7, "times": 1}
    await telegram.http.post("/_control/faults", json=order)
    answer = await telegram.call("sendMessage", chat_id=42, text="x")
    assert answer["error_code"] == 429
    assert answer["parameters"] == {"retry_after": 7}
    assert answer["description"] == "Too Many Requests: retry after 7"
    assert (await telegram.result("sendMessage", chat_id=42, text="x"))["text"] == "x"
    await telegram.http.post("/_control/faults", json={"kind": "error", "status": 500, "bot": "somebody_else"})
    assert (await telegram.call("getMe"))["ok"]
    wrong = await telegram.http.post("/_control/faults", json={"kind": "error", "stauts": 500})
    assert wrong.status_code == 400


async def test_the_record_says_who_called(telegram: TelegramSide) -> None:
    await telegram.call("getMe")
    telegram.token = "tok-placeholder-of-a-cell"
    await telegram.call("sendMessage", chat_id=42, text="hi")
    calls = (await telegram.http.get("/_control/calls")).json()["calls"]
    assert [(c["token"], c["method"], c["code"]) for c in calls] == [
        (DEFAULT_TOKEN, "getMe", 200),
        ("tok-placeholder-of-a-cell", "sendMessage", 404),
    ]


async def test_chat_page_names_the_bot_and_unknown_bots_are_404(telegram: TelegramSide) -> None:
    page = await telegram.http.get("/_chat/ClawstackSandboxBot?start=CODE")
    assert page.status_code == 200
    assert 'data-bot="ClawstackSandboxBot"' in page.text
    assert "{{" not in page.text
    assert (await telegram.http.get("/_chat/nobody")).status_code == 404
    assert (await telegram.http.get("/_chat/_assets/chat.js")).headers["content-type"].startswith("text/javascript")
    assert (await telegram.http.get("/_chat/_assets/..%2fchat.html")).status_code == 404
