"""The users' side over HTTP: what tests, the demo and the chat page use to act as people."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.telegram.bots import Bot
from sandbox.telegram.calls import CallJournal
from sandbox.telegram.chats import Chat
from sandbox.telegram.errors import BotApiError
from sandbox.telegram.faults import FaultList
from sandbox.telegram.requests import BlockRequest, FaultRequest, SendRequest
from sandbox.telegram.world import World

LONGEST_WAIT = 120.0


class Control:
    """Endpoints below /_control."""

    def __init__(self, world: World, faults: FaultList, calls: CallJournal) -> None:
        self._world = world
        self._faults = faults
        self._calls = calls

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_control/send", self.send, methods=["POST"]),
            Route("/_control/block", self.block, methods=["POST"]),
            Route("/_control/unblock", self.unblock, methods=["POST"]),
            Route("/_control/faults", self.add_fault, methods=["POST"]),
            Route("/_control/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_control/bots", self.bots),
            Route("/_control/calls", self.calls),
            Route("/_control/chats/{chat_id:int}/messages", self.messages),
            Route("/_control/chats/-{chat_id:int}/messages", self.group_messages),
        ]

    async def send(self, request: Request) -> JSONResponse:
        """A person writes, sends a file, presses a button or reacts. Answers what came of it and the journal's end."""
        try:
            wish = SendRequest.model_validate_json(await request.body())
            bot = self._world.bot_named(wish.bot)
            user = wish.user.wire(wish.chat_id)
            chat = self._world.meet(bot, wish.chat_id, user, wish.title)
            before = chat.next_seq - 1
            return JSONResponse({"ok": True, "after": before, **self._act(bot, chat, user, wish)})
        except (ValidationError, LookupError, ValueError, BotApiError) as error:
            return _refusal(error)

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

    async def block(self, request: Request) -> JSONResponse:
        """A person blocks the bot."""
        return await self._set_blocked(request, blocked=True)

    async def unblock(self, request: Request) -> JSONResponse:
        """A person unblocks the bot."""
        return await self._set_blocked(request, blocked=False)

    async def _set_blocked(self, request: Request, *, blocked: bool) -> JSONResponse:
        try:
            wish = BlockRequest.model_validate_json(await request.body())
            bot = self._world.bot_named(wish.bot)
        except (ValidationError, LookupError) as error:
            return _refusal(error)
        user = wish.user.wire(wish.chat_id)
        self._world.set_blocked(bot, self._world.meet(bot, wish.chat_id, user), user, blocked=blocked)
        return JSONResponse({"ok": True})

    async def messages(self, request: Request) -> JSONResponse:
        """Journal of a chat after `after`; waits up to `wait` seconds for a line. `all=1` shows both sides and actions."""
        return await self._journal(request, request.path_params["chat_id"])

    async def group_messages(self, request: Request) -> JSONResponse:
        """The same for a group, whose id is negative."""
        return await self._journal(request, -request.path_params["chat_id"])

    async def _journal(self, request: Request, chat_id: int) -> JSONResponse:
        try:
            bot = self._world.bot_named(request.query_params.get("bot", ""))
            after = int(request.query_params.get("after", "0"))
            wait = _wait(request)
        except (LookupError, ValueError) as error:
            return _refusal(error)
        everything = request.query_params.get("all", "") in {"1", "true"}
        # Somebody may watch a chat before the first message: the watched chat is made, the bot has still not met it.
        chat = bot.chats.get(chat_id) or self._world.watched(bot, chat_id)
        events = await chat.changes.until(lambda: chat.since(after, everything=everything) or None, wait) or []
        last = events[-1].seq if events else after
        return JSONResponse({"ok": True, "last": last, "messages": [event.wire() for event in events]})

    async def bots(self, request: Request) -> JSONResponse:
        """All bots, with what waits for them and which chats they have."""
        del request
        return JSONResponse({"ok": True, "bots": [_shown(bot) for bot in self._world.bots.values()]})

    async def calls(self, request: Request) -> JSONResponse:
        """Calls of bots after number `after`, of one `method` if named; waits up to `wait` seconds for one."""
        try:
            after, wait = int(request.query_params.get("after", "0")), _wait(request)
        except ValueError as error:
            return _refusal(error)
        method = request.query_params.get("method", "")
        found = await self._calls.changes.until(lambda: self._calls.since(after, method=method) or None, wait) or []
        last = found[-1].number if found else after
        return JSONResponse({"ok": True, "last": last, "calls": [call.wire() for call in found]})

    async def add_fault(self, request: Request) -> JSONResponse:
        """Order trouble."""
        try:
            self._faults.add(FaultRequest.model_validate_json(await request.body()).order())
        except ValidationError as error:
            return _refusal(error)
        return JSONResponse({"ok": True})

    async def clear_faults(self, request: Request) -> JSONResponse:
        """Take back all orders."""
        del request
        self._faults.clear()
        return JSONResponse({"ok": True})


def _wait(request: Request) -> float:
    return min(float(request.query_params.get("wait", "0")), LONGEST_WAIT)


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
