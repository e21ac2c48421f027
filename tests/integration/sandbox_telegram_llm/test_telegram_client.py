"""An established client library, over a real socket, finds what it expects of the Bot API."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, ReactionTypeEmoji, Update
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

from tests.integration.sandbox_telegram_llm.process import Sandbox
from tests.waiting import patient


def client(sandbox: Sandbox, token: str = "") -> Bot:
    root = sandbox.telegram
    return Bot(token or sandbox.token, base_url=f"{root}/bot", base_file_url=f"{root}/file/bot")


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[Bot]:
    async with client(sandbox) as started:
        yield started


async def test_a_conversation(sandbox: Sandbox, bot: Bot) -> None:
    assert bot.username == "ClawstackSandboxBot"
    await sandbox.act(text="/start abc", user={"first_name": "Pat", "username": "pat"})
    (update,) = await bot.get_updates(timeout=5)
    assert update.message is not None
    assert update.message.from_user is not None
    assert (update.message.text, update.message.from_user.first_name, update.message.chat_id) == (
        "/start abc",
        "Pat",
        42,
    )
    await bot.send_chat_action(42, ChatAction.TYPING)
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
    sent = await bot.send_message(
        42,
        "<b>Hello</b>",
        parse_mode=ParseMode.HTML,
        reply_markup=keyboard,
        reply_to_message_id=update.message.message_id,
    )
    assert sent.text == "Hello"
    assert sent.reply_to_message is not None
    edited = await bot.edit_message_text("Changed", 42, sent.message_id)
    assert isinstance(edited, type(sent))
    assert edited.edit_date is not None
    assert edited.reply_markup is None
    assert await bot.set_message_reaction(42, update.message.message_id, [ReactionTypeEmoji("👍")])
    assert await bot.delete_message(42, sent.message_id)
    heard = await sandbox.heard()
    assert [line["kind"] for line in heard["messages"]] == ["message", "edited", "deleted"]


async def test_buttons_files_and_facts(sandbox: Sandbox, bot: Bot) -> None:
    await sandbox.act(text="hi")
    message = await bot.send_photo(42, b"\x89PNG not really", caption="a picture")
    assert message.photo
    file = await bot.get_file(message.photo[-1].file_id)
    assert bytes(await file.download_as_bytearray()) == b"\x89PNG not really"
    document = await bot.send_document(42, b"text", filename="plan.txt")
    assert document.document is not None
    assert document.document.file_name == "plan.txt"
    await sandbox.act(callback={"message_id": document.message_id, "data": "pressed"})
    query = (await bot.get_updates(offset=-1))[0].callback_query
    assert query is not None
    assert query.data == "pressed"
    assert await query.answer("ok")
    with pytest.raises(BadRequest, match="query id is invalid"):
        await query.answer("twice")
    assert await bot.set_my_commands([BotCommand("help", "Help")])
    assert [command.command for command in await bot.get_my_commands()] == ["help"]
    chat = await bot.get_chat(42)
    assert (chat.type, chat.first_name) == ("private", "Sam")
    assert (await bot.get_chat_member(42, 42)).status == "member"
    assert (await bot.send_location(42, 1.5, 2.5)).location is not None
    assert (await bot.send_poll(42, "Which?", ["a", "b"])).poll is not None


async def test_refusals_become_the_clients_own_errors(sandbox: Sandbox, bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(404, "x")
    await sandbox.act(text="hi")
    await sandbox.post(f"{sandbox.telegram}/_control/block", {"chat_id": 42})
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(42, "x")
    with pytest.raises(InvalidToken):
        async with client(sandbox, "123456789:AAwrong_wrong_wrong_wrong_wrong_wrong"):
            pass


async def test_trouble_on_demand(sandbox: Sandbox, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # the client warns about its older way to tell seconds
    await sandbox.act(text="hi")
    await sandbox.fault("telegram", kind="flood", method="sendMessage", retry_after=9)
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(42, "x")
    assert flood.value._retry_after.total_seconds() == 9
    await sandbox.fault("telegram", kind="reset", method="sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(42, "never arrived")
    await sandbox.fault("telegram", kind="lost_answer", method="sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(42, "arrived")
    heard = await sandbox.heard()
    assert [line["message"]["text"] for line in heard["messages"]] == ["arrived"]
    await sandbox.fault("telegram", kind="slow", method="getMe", seconds=0.3)
    begun = asyncio.get_running_loop().time()
    await bot.get_me()
    assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_two_pollers_conflict(sandbox: Sandbox, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    while not (await sandbox.get(f"{sandbox.telegram}/_control/bots"))["bots"][0]["polling"]:
        await asyncio.sleep(0.01)
    async with client(sandbox) as other:
        second = asyncio.create_task(other.get_updates(timeout=20))
        with pytest.raises(Conflict):
            await asyncio.wait_for(first, patient(10))
        await sandbox.act(text="still heard")
        assert (await asyncio.wait_for(second, 10))[0].message is not None


async def test_the_clients_own_polling_loop_answers(sandbox: Sandbox) -> None:
    async def echo(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        await update.message.reply_text(f"You said {update.message.text}")

    roots = ApplicationBuilder().token(sandbox.token).base_url(f"{sandbox.telegram}/bot")
    application: Application = roots.build()  # type: ignore[type-arg]
    application.add_handler(MessageHandler(filters.TEXT, echo))
    async with application:
        await application.start()
        assert application.updater is not None
        await application.updater.start_polling(timeout=5)
        after = 0
        for text in ("one", "two"):
            await sandbox.act(text=text)
            heard = await sandbox.heard(after=after)
            after = heard["last"]
            assert heard["messages"][0]["message"]["text"] == f"You said {text}"
        await application.updater.stop()
        await application.stop()
