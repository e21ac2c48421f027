"""One bot: its account, chats, updates, webhook, commands and files."""

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.config import BotAccount, TelegramConfig
from sandbox.telegram.model.errors import bad_request
from sandbox.telegram.model.updates import UpdateQueue

TOKEN_SHAPE = re.compile(r"^\d{3,20}:[A-Za-z0-9_-]{10,100}$")
MOST_FILES = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """An uploaded file; `path` is what getFile answers as file_path."""

    id: str
    path: str
    name: str
    mime_type: str
    content: bytes

    def wire(self) -> dict[str, Any]:
        """Return what all kinds of media have in common."""
        return {"file_id": self.id, "file_unique_id": self.id[-15:], "file_size": len(self.content)}


@dataclass(kw_only=True, slots=True)
class Webhook:
    """Where updates are pushed, and how the last push went."""

    url: str
    secret_token: str = ""
    max_connections: int = 40
    last_error_at: int = 0
    last_error: str = ""


@dataclass(kw_only=True, slots=True)
class Bot:
    """State of one bot."""

    account: BotAccount
    updates: UpdateQueue
    chats: dict[int, Chat] = field(default_factory=dict)
    webhook: Webhook | None = None
    commands: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    files: "OrderedDict[str, StoredFile]" = field(default_factory=OrderedDict)
    open_callbacks: dict[str, Chat] = field(default_factory=dict)

    @classmethod
    def create(cls, account: BotAccount, config: TelegramConfig) -> "Bot":
        """Return a bot nobody has talked to yet."""
        queue = UpdateQueue(now=config.now, lifetime=config.update_lifetime, most=config.max_pending_updates)
        return cls(account=account, updates=queue)

    def user(self) -> dict[str, Any]:
        """Return the bot as a User, as it appears in its messages."""
        account = self.account
        return {"id": account.id, "is_bot": True, "first_name": account.name, "username": account.username}

    def chat(self, wanted: str) -> Chat:
        """Return a chat by id or @username. Raises a 400 when the bot has never met it, as the original does."""
        if not wanted:
            raise bad_request("chat_id is empty")
        for chat in self.chats.values():
            if str(chat.id) == wanted or (wanted.startswith("@") and chat.profile.get("username") == wanted[1:]):
                return chat
        raise bad_request("chat not found")

    def keep_file(self, *, name: str, mime_type: str, content: bytes, folder: str) -> StoredFile:
        """Store an uploaded file under a fresh id; the oldest go when there are too many."""
        file_id = f"BQACAgQAAxk{secrets.token_urlsafe(33)}"
        suffix = name.rsplit(".", 1)[-1] if "." in name else "bin"
        stored = StoredFile(
            id=file_id,
            path=f"{folder}/file_{len(self.files)}.{suffix}",
            name=name,
            mime_type=mime_type,
            content=content,
        )
        self.files[file_id] = stored
        while len(self.files) > MOST_FILES:
            self.files.popitem(last=False)
        return stored
