"""What survives a restart, in one JSON file: chats, waiting updates, webhooks. Uploaded files lie beside it.

Bots remember message ids (OpenClaw drops a message whose id it has seen), so ids must never begin again. The file is
written about once a second and at the end; after a crash ids jump ahead, so that none of the lost second comes twice.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from sandbox.frame.memory import StateFile
from sandbox.frame.values import Json
from sandbox.telegram.model.bots import Bot, StoredFile, Webhook
from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.updates import Update
from sandbox.telegram.model.world import World

KEPT_MESSAGES: Final = 200
AFTER_CRASH: Final = 1000


class Memory(StateFile[World]):
    """Keeps a world. Bots that are not configured any more are left out when it is loaded."""

    @override
    def kept(self, *, clean: bool) -> Json:
        return {"clean": clean, "bots": {token: _kept(bot) for token, bot in self.world.bots.items()}}

    @override
    def restore(self, kept: Json) -> None:
        ahead = 0 if kept["clean"] else AFTER_CRASH
        for token, plain in kept["bots"].items():
            if (bot := self.world.bots.get(token)) is not None:
                _restore(bot, plain, ahead=ahead, folder=self.folder)

    @override
    def save(self, *, clean: bool) -> None:
        super().save(clean=clean)
        for bot in self.world.bots.values():
            for stored in bot.files.values():
                if not (path := self.folder / f"{stored.id}.bin").exists():
                    path.write_bytes(stored.content)


def _kept(bot: Bot) -> dict[str, Any]:
    return {
        "chats": [_kept_chat(chat) for chat in bot.chats.values()],
        "updates": [asdict(update) for update in bot.updates.pending()],
        "allowed": sorted(bot.updates.allowed or ()),
        "webhook": asdict(bot.webhook) if bot.webhook else None,
        "files": [{k: v for k, v in asdict(stored).items() if k != "content"} for stored in bot.files.values()],
    }


def _kept_chat(chat: Chat) -> dict[str, Any]:
    plain = {name: getattr(chat, name) for name in ("id", "kind", "profile", "blocked", "next_message_id", "next_seq")}
    members = list(chat.members.values())
    return {**plain, "messages": list(chat.messages.values())[-KEPT_MESSAGES:], "members": members}


def _restore(bot: Bot, kept: dict[str, Any], *, ahead: int, folder: Path) -> None:
    for plain in kept["chats"]:
        messages = {message["message_id"]: message for message in plain.pop("messages")}
        members = {member["id"]: member for member in plain.pop("members")}
        chat = Chat(**plain, messages=messages, members=members)
        chat.next_message_id += ahead
        for message in messages.values():  # the journal is told anew, so that a page shows the chat again
            chat.record("message", message, by="bot" if message["from"]["is_bot"] else "user")
        bot.chats[chat.id] = chat
    bot.updates.restore([Update(**update) for update in kept["updates"]])
    bot.updates.allowed = frozenset(kept["allowed"]) or None
    bot.webhook = Webhook(**kept["webhook"]) if kept["webhook"] else None
    for stored in kept["files"]:
        if (path := folder / f"{stored['id']}.bin").exists():
            bot.files[stored["id"]] = StoredFile(**stored, content=path.read_bytes())
