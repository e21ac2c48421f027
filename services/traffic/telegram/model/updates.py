"""Reading updates of the Bot API (core.telegram.org/bots/api#update). Pure; trusts nothing it is given."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.telegram.model.errors import MalformedUpdateError

#: Where each kind of update says its chat. Business, inline, payment and guest updates are left out on purpose: their
#: chat is not a chat with the shared bot, or they have none, so that routing by chat would hand one person's
#: conversation to another person's assistant.
CHAT_AT: Final[Mapping[str, tuple[str, ...]]] = {
    "message": ("chat", "id"),
    "edited_message": ("chat", "id"),
    "channel_post": ("chat", "id"),
    "edited_channel_post": ("chat", "id"),
    "callback_query": ("message", "chat", "id"),
    "my_chat_member": ("chat", "id"),
    "chat_member": ("chat", "id"),
    "chat_join_request": ("chat", "id"),
    "message_reaction": ("chat", "id"),
    "message_reaction_count": ("chat", "id"),
    "chat_boost": ("chat", "id"),
    "removed_chat_boost": ("chat", "id"),
}
#: Polls belong to whoever sent them.
POLL_AT: Final[Mapping[str, tuple[str, ...]]] = {"poll": ("id",), "poll_answer": ("poll_id",)}
#: What is asked of Telegram.
WANTED: Final[tuple[str, ...]] = (*CHAT_AT, *POLL_AT)
#: What a bot gets only when it asks for it by name (core.telegram.org/bots/api#getupdates).
NOT_BY_DEFAULT: Final[frozenset[str]] = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

_START: Final = re.compile(r"/start(?:@(?P<bot>\w+))?(?:\s+(?P<code>[A-Za-z0-9_-]{1,64}))?\s*")
_BIGINT: Final = 2**63
_MAX_DEPTH: Final = 64
#: A message has at most a hundred entities and quotes one other: a few thousand values. Deeper than allowed by one, so
#: that it is said what is wrong with an update.
_SHAPE: Final = JsonBounds(items=20_000, depth=_MAX_DEPTH + 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """An update, with all that routing wants to know of it."""

    update_id: int
    kind: str
    body: dict[str, Any]
    chat_id: int | None = None
    chat_type: str = ""
    poll_id: str | None = None
    callback_id: str | None = None
    first_name: str = ""
    from_bot: bool = False
    starts: bool = False
    """The text is `/start`, addressed to this bot."""
    code: str | None = None
    """What followed `/start`."""
    moved_from: int | None = None
    moved_to: int | None = None
    """A group that became a supergroup has another id from then on."""
    files: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_private(self) -> bool:
        """A conversation with one person."""
        return self.chat_type == "private"


def parse_update(raw: bytes, *, bot: str) -> Incoming:
    """The update in `raw`, sent to the bot of this user name. Raises MalformedUpdateError."""
    try:
        body = decode(raw, _SHAPE, finite=False)
    except ValueError as error:
        raise MalformedUpdateError("The body is not JSON.") from error
    return read_update(body, bot=bot)


def read_update(body: object, *, bot: str) -> Incoming:
    """The update in a decoded body. Raises MalformedUpdateError when it is none."""
    if not isinstance(body, dict):
        raise MalformedUpdateError("An update is a JSON object.")
    update_id = _integer(body.get("update_id"))
    if update_id is None or update_id < 0:
        raise MalformedUpdateError("An update has a non-negative integer update_id.")
    clean = storable(body)
    kind = next((key for key, value in clean.items() if isinstance(value, dict)), "")
    content = clean.get(kind, {})
    if kind in POLL_AT:
        return Incoming(update_id=update_id, kind=kind, body=clean, poll_id=_text(_at(content, POLL_AT[kind])))
    chat_id = _integer(_at(content, CHAT_AT[kind])) if kind in CHAT_AT else None
    if chat_id is None:
        return Incoming(update_id=update_id, kind=kind or "unknown", body=clean)
    return _with_chat(update_id, kind, clean, content, chat_id, bot)


def _with_chat(
    update_id: int, kind: str, body: dict[str, Any], content: dict[str, Any], chat_id: int, bot: str
) -> Incoming:
    is_message = kind == "message"
    start = _start(content, bot) if is_message else None
    return Incoming(
        update_id=update_id,
        kind=kind,
        body=body,
        chat_id=chat_id,
        chat_type=_text(_at(content, (*CHAT_AT[kind][:-1], "type"))) or "",
        callback_id=_text(content.get("id")) if kind == "callback_query" else None,
        first_name=_text(_at(content, ("from", "first_name"))) or "",
        from_bot=_at(content, ("from", "is_bot")) is True,
        starts=start is not None,
        code=start["code"] if start else None,
        moved_from=_integer(content.get("migrate_from_chat_id")) if is_message else None,
        moved_to=_integer(content.get("migrate_to_chat_id")) if is_message else None,
        files=frozenset(file_ids(content)),
    )


def file_ids(value: object) -> Iterator[str]:
    """Every `file_id` in a decoded answer or update."""
    for key, member in walk(value):
        if key == "file_id" and isinstance(member, str):
            yield member


def walk(value: object) -> Iterator[tuple[str, Any]]:
    """Every member of every object in `value`, with its name, at any depth."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, member in item.items():
                yield key, member
                stack.append(member)
        elif isinstance(item, list):
            stack.extend(item)


def storable(value: Any, depth: int = 0) -> Any:
    """A copy that PostgreSQL's jsonb takes: no NUL, no half of a surrogate pair, no endless nesting."""
    if depth > _MAX_DEPTH:
        raise MalformedUpdateError(f"The update is nested more than {_MAX_DEPTH} deep.")
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None  # 1e999 is valid JSON and too large for a float
    if isinstance(value, dict):
        return {storable(key): storable(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [storable(member, depth + 1) for member in value]
    return value


def _start(content: dict[str, Any], bot: str) -> re.Match[str] | None:
    match = _START.fullmatch(_text(content.get("text")) or "")
    if match is None or (match["bot"] is not None and match["bot"].lower() != bot.lower()):
        return None
    return match


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_BIGINT <= value < _BIGINT else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
