"""The users' side over HTTP: what tests, the demo and the chat page use to act as people."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.frame.control import DONE, WRONG, control_routes, fault_rows, flag, news
from sandbox.frame.values import Json
from sandbox.telegram.faults import Faults
from sandbox.telegram.journal import Journal
from sandbox.telegram.model.bots import Bot
from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.errors import BotApiError
from sandbox.telegram.model.world import World
from sandbox.telegram.requests import BlockRequest, SendRequest


class Control:
    """Endpoints below /_control."""

    def __init__(self, world: World, faults: Faults, journal: Journal) -> None:
        self._world = world
        self._faults = faults
        self._journal = journal

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "send", self._send),
            ("POST", "block", self._block),
            ("POST", "unblock", self._unblock),
            *fault_rows(self._faults),
            ("GET", "bots", self._bots),
            ("GET", "calls", self._calls),
            ("GET", "chats/{chat_id:int}/messages", self._messages),
            ("GET", "chats/-{chat_id:int}/messages", self._group_messages),
        ]
        return control_routes(table, _refusal, wrong=(*WRONG, BotApiError))

    async def _send(self, request: Request) -> Json:
        """A person writes, sends a file, presses a button or reacts. Answers what came of it and the journal's end."""
        wish = SendRequest.model_validate_json(await request.body())
        bot = self._world.bot_named(wish.bot)
        user = wish.user.wire(wish.chat_id)
        chat = self._world.meet(bot, wish.chat_id, user, wish.title)
        before = chat.next_seq - 1
        return {"ok": True, "after": before, **self._act(bot, chat, user, wish)}

    def _act(self, bot: Bot, chat: Chat, user: dict[str, Any], wish: SendRequest) -> dict[str, Any]:
        if wish.callback is not None:
            press = wish.callback
            return {"callback_query_id": self._world.press(bot, chat, user, press.message_id, press.data)}
        if wish.reaction is not None:
            self._world.react(bot, chat, user, wish.reaction.message_id, wish.reaction.emoji)
            return {}
        for kind in ("photo", "document", "voice"):
            if (file := getattr(wish, kind)) is not None:
                upload, caption = file.upload(), file.caption
                return {"message": self._world.send_file(bot, chat, user, upload, kind=kind, caption=caption)}
        if not wish.text:
            raise ValueError("Nothing to do: give text, photo, document, voice, callback or reaction.")
        return {"message": self._world.say(bot, chat, user, wish.text, reply_to=wish.reply_to)}

    async def _block(self, request: Request) -> Json:
        """A person blocks the bot."""
        return await self._set_blocked(request, blocked=True)

    async def _unblock(self, request: Request) -> Json:
        """A person unblocks the bot."""
        return await self._set_blocked(request, blocked=False)

    async def _set_blocked(self, request: Request, *, blocked: bool) -> Json:
        wish = BlockRequest.model_validate_json(await request.body())
        bot = self._world.bot_named(wish.bot)
        user = wish.user.wire(wish.chat_id)
        self._world.set_blocked(bot, self._world.meet(bot, wish.chat_id, user), user, blocked=blocked)
        return DONE

    async def _messages(self, request: Request) -> Json:
        """Journal of a chat after `after`; waits up to `wait` seconds for a line. `all=1` shows both sides and actions."""
        return await self._told_in(request, request.path_params["chat_id"])

    async def _group_messages(self, request: Request) -> Json:
        """The same for a group, whose id is negative."""
        return await self._told_in(request, -request.path_params["chat_id"])

    async def _told_in(self, request: Request, chat_id: int) -> Json:
        bot = self._world.bot_named(request.query_params.get("bot", ""))
        everything = flag(request, "all")
        # Somebody may watch a chat before the first message: the watched chat is made, the bot has still not met it.
        chat = bot.chats.get(chat_id) or self._world.watched(bot, chat_id)
        last, events = await news(
            request, chat.changes, lambda after: chat.since(after, everything=everything), lambda event: event.seq
        )
        return {"ok": True, "last": last, "messages": [event.wire() for event in events]}

    async def _bots(self, _: Request) -> Json:
        """All bots, with what waits for them and which chats they have."""
        return {"ok": True, "bots": [_shown(bot) for bot in self._world.bots.values()]}

    async def _calls(self, request: Request) -> Json:
        """Calls of bots after number `after`, of one `method` if named; waits up to `wait` seconds for one."""
        journal, method = self._journal, request.query_params.get("method", "")
        last, found = await news(
            request, journal.changes, lambda after: journal.since(after, method=method), lambda entry: entry.number
        )
        return {"ok": True, "last": last, "calls": [entry.as_json() for entry in found]}


def _shown(bot: Bot) -> dict[str, Any]:
    chats = [{**chat.wire(), "blocked": chat.blocked, "last": chat.next_seq - 1} for chat in bot.chats.values()]
    return {
        "token": bot.account.token,
        **bot.user(),
        "pending_update_count": len(bot.updates.pending()),
        "polling": bot.updates.polling,
        "webhook": bot.webhook.url if bot.webhook else "",
        "commands": [command for commands in bot.commands.values() for command in commands],
        "chats": chats,
    }


def _refusal(error: Exception) -> JSONResponse:
    if isinstance(error, BotApiError):
        return JSONResponse(error.body(), status_code=error.code)
    return JSONResponse({"ok": False, "description": str(error)}, status_code=400)
