"""All bots, and what people do: write, press buttons, send files, block. No HTTP here."""

import secrets
from typing import Any

from sandbox.telegram.model.bots import Bot, StoredFile
from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.config import TelegramConfig
from sandbox.telegram.model.entities import found_entities
from sandbox.telegram.model.errors import bad_request
from sandbox.telegram.model.media import media_field
from sandbox.telegram.model.params import Upload


class World:
    """The stand-in's whole state."""

    def __init__(self, config: TelegramConfig) -> None:
        self.config = config
        self.bots = {account.token: Bot.create(account, config) for account in config.bots}
        self._watched: dict[tuple[int, int], Chat] = {}

    def bot_named(self, username: str) -> Bot:
        """Return a bot by username (any case), the first one for an empty name. Raises LookupError."""
        for bot in self.bots.values():
            if not username or bot.account.username.lower() == username.lower().removeprefix("@"):
                return bot
        names = ", ".join(bot.account.username for bot in self.bots.values())
        raise LookupError(f"There is no bot {username!r}. The bots are: {names}.")

    @property
    def changes(self) -> int:
        """A number that rises with every change."""
        return sum(
            bot.updates.changes.count + sum(c.changes.count for c in bot.chats.values()) for bot in self.bots.values()
        )

    def close(self) -> None:
        """End every wait."""
        for bot in self.bots.values():
            bot.updates.changes.close()
        for chat in [*self._watched.values(), *(chat for bot in self.bots.values() for chat in bot.chats.values())]:
            chat.changes.close()

    def watched(self, bot: Bot, chat_id: int) -> Chat:
        """Return a chat that somebody watches before its first message; the bot has not met it yet."""
        return self._watched.setdefault((bot.account.id, chat_id), Chat(id=chat_id, kind="private", profile={}))

    def meet(self, bot: Bot, chat_id: int, user: dict[str, Any], title: str = "") -> Chat:
        """Return the chat, making it when it is new: negative ids are groups, others private chats."""
        if (chat := bot.chats.get(chat_id)) is None:
            chat = self._watched.pop((bot.account.id, chat_id), None) or Chat(id=chat_id, kind="private", profile={})
            if chat_id < 0:
                chat.kind = "supergroup" if str(chat_id).startswith("-100") else "group"
                chat.profile = {"title": title or "Group"}
            else:
                chat.profile = {k: user[k] for k in ("first_name", "last_name", "username") if k in user}
            bot.chats[chat_id] = chat
        chat.members[user["id"]] = user
        return chat

    def say(self, bot: Bot, chat: Chat, user: dict[str, Any], text: str, *, reply_to: int = 0) -> dict[str, Any]:
        """A person writes a text; the bot gets an update unless its privacy in groups hides it."""
        body: dict[str, Any] = {"from": user, "text": text}
        if entities := found_entities(text):
            body["entities"] = entities
        return self._deliver(bot, chat, body, reply_to=reply_to)

    def send_file(
        self, bot: Bot, chat: Chat, user: dict[str, Any], upload: Upload, *, kind: str, caption: str
    ) -> dict[str, Any]:
        """A person sends a photo, document, voice message or the like."""
        stored = bot.keep_file(name=upload.name, mime_type=upload.mime_type, content=upload.content, folder=f"{kind}s")
        body: dict[str, Any] = {"from": user, **media_field(kind, stored)}
        if caption:
            body["caption"] = caption
        return self._deliver(bot, chat, body, reply_to=0)

    def press(self, bot: Bot, chat: Chat, user: dict[str, Any], message_id: int, data: str) -> str:
        """A person presses an inline button; returns the id of the callback query."""
        message = chat.message(message_id, "message not found")
        query_id = str(secrets.randbelow(9 * 10**17) + 10**17)
        bot.open_callbacks[query_id] = chat
        query = {
            "id": query_id,
            "from": user,
            "message": message,
            "chat_instance": str(abs(chat.id) * 7919),
            "data": data,
        }
        bot.updates.add("callback_query", query, chat=chat.id)
        return query_id

    def react(self, bot: Bot, chat: Chat, user: dict[str, Any], message_id: int, emoji: str) -> None:
        """A person reacts to a message; bots see it only when they asked for message_reaction."""
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        body = {"chat": chat.wire(), "message_id": message_id, "user": user, "date": int(self.config.now())}
        bot.updates.add("message_reaction", {**body, "old_reaction": [], "new_reaction": new}, chat=chat.id)

    def set_blocked(self, bot: Bot, chat: Chat, user: dict[str, Any], *, blocked: bool) -> None:
        """A person blocks or unblocks the bot, or a group removes or adds it."""
        if chat.blocked == blocked:
            return
        gone = "kicked" if chat.kind == "private" else "left"
        before, after = ("member", gone) if blocked else (gone, "member")
        chat.blocked = blocked
        body = {"chat": chat.wire(), "from": user, "date": int(self.config.now())}
        states = {"old_chat_member": _member(bot, before), "new_chat_member": _member(bot, after)}
        bot.updates.add("my_chat_member", {**body, **states}, chat=chat.id)

    def find_file(self, file_id: str) -> tuple[Bot, StoredFile]:
        """Return a file by id or path. Raises a 400."""
        for bot in self.bots.values():
            for stored in bot.files.values():
                if file_id in {stored.id, stored.path}:
                    return bot, stored
        raise bad_request("invalid file_id")

    def _deliver(self, bot: Bot, chat: Chat, body: dict[str, Any], *, reply_to: int) -> dict[str, Any]:
        if reply_to:
            body["reply_to_message"] = chat.message(reply_to, "message to be replied not found")
        if chat.blocked and chat.kind == "private":
            user = body["from"]
            self.set_blocked(bot, chat, user, blocked=False)  # writing to a bot unblocks it
        message = chat.append(body, by="user", at=self.config.now())
        if _visible(bot, chat, message):
            bot.updates.add("message", message, chat=chat.id)
        return message


def _member(bot: Bot, status: str) -> dict[str, Any]:
    member: dict[str, Any] = {"user": bot.user(), "status": status}
    return {**member, "until_date": 0} if status == "kicked" else member


def _visible(bot: Bot, chat: Chat, message: dict[str, Any]) -> bool:
    """Privacy mode. Source: core.telegram.org/bots/features#privacy-mode."""
    if chat.kind == "private" or not bot.account.privacy:
        return not chat.blocked or chat.kind == "private"
    text = message.get("text", message.get("caption", ""))
    replied = message.get("reply_to_message", {}).get("from", {}).get("id") == bot.account.id
    return not chat.blocked and (text.startswith("/") or f"@{bot.account.username}".lower() in text.lower() or replied)
