"""What survives a restart, in one JSON file: chats, waiting updates, webhooks. Uploaded files lie beside it.

Bots remember message ids (OpenClaw drops a message whose id it has seen), so ids must never begin again. The file is
written about once a second and at the end; after a crash ids jump ahead, so that none of the lost second comes twice.
"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sandbox.telegram.bots import Bot, StoredFile, Webhook
from sandbox.telegram.chats import Chat
from sandbox.telegram.updates import Update
from sandbox.telegram.world import World

KEPT_MESSAGES: Final = 200
AFTER_CRASH: Final = 1000


class Memory:
    """Loads a world once, then saves it whenever something changed."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._saved = -1
        self._task: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Fill the world from the file, if there is one. Bots that are not configured any more are left out."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._state.exists():
            return
        state = json.loads(self._state.read_text(encoding="utf-8"))
        for token, kept in state["bots"].items():
            if (bot := self._world.bots.get(token)) is not None:
                _restore(bot, kept, ahead=0 if state["clean"] else AFTER_CRASH, folder=self._folder)

    def start(self) -> None:
        """Begin to save."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Save the last state."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._save(clean=True)

    async def _run(self) -> None:
        while True:
            if self._world.changes != self._saved:
                self._saved = self._world.changes
                self._save(clean=False)
            await asyncio.sleep(1.0)

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def _save(self, *, clean: bool) -> None:
        bots = {token: _kept(bot) for token, bot in self._world.bots.items()}
        beside = self._folder / ".state.json.new"
        beside.write_text(json.dumps({"clean": clean, "bots": bots}), encoding="utf-8")
        beside.replace(self._state)
        for bot in self._world.bots.values():
            for stored in bot.files.values():
                if not (path := self._folder / f"{stored.id}.bin").exists():
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
