"""What a call refers to, and whether its cell may refer to it. Pure; `forwarding` asks the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.model.updates import walk
from services.traffic.telegram.virtual.methods import FILE_PARAMETERS, FORBIDDEN_PARAMETERS
from services.traffic.telegram.virtual.parameters import Call

_CHAT_NUMBER: Final = re.compile(r"-?[1-9][0-9]{0,18}")
_BIGINT: Final = 2**63
_ELSEWHERE: Final = ("attach://", "http://", "https://")


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Ids in a call that must belong to its tenant."""

    chats: frozenset[int]
    files: frozenset[str]


def references(call: Call) -> References:
    """All chats and files that a call names, at any depth, under any name. Raises BotApiError for what no cell may say.

    A chat that is not given by number ("@channel", a fraction, a list) belongs to nobody and is refused here.
    """
    chats: set[int] = set()
    files: set[str] = set()
    for name, value in walk(call.fields):
        if name in FORBIDDEN_PARAMETERS and value not in (None, ""):
            raise BotApiError(403, f"Forbidden: {name} is not available to hosted assistants")
        if name == "allow_paid_broadcast" and value not in (None, "", False, "false", "False", 0, "0"):
            raise BotApiError(403, "Forbidden: paid broadcasts are not available to hosted assistants")
        if "chat_id" in name:
            chats.update(_chat_numbers(value))
        elif name in FILE_PARAMETERS:
            files.update(_file_ids(value))
    for name, _ in call.files:
        if "chat_id" in name or name in FORBIDDEN_PARAMETERS:
            raise BotApiError(400, f"Bad Request: {name[:64]} cannot be a file")
    return References(chats=frozenset(chats), files=frozenset(files))


def required_chat(call: Call, name: str = "chat_id") -> int:
    """The chat that a method works on, by number. Raises BotApiError when there is none."""
    value = call.fields.get(name)
    if value is None or value == "":
        raise BotApiError(400, f"Bad Request: {name} is empty")
    return chat_number(value)


def chat_number(value: Any) -> int:
    """The number in a chat reference; raises BotApiError as if there were no such chat."""
    if isinstance(value, int) and not isinstance(value, bool) and -_BIGINT <= value < _BIGINT:
        return value
    if isinstance(value, str) and _CHAT_NUMBER.fullmatch(value):
        number = int(value)
        if -_BIGINT <= number < _BIGINT:
            return number
    raise chat_not_found()


def chat_not_found() -> BotApiError:
    """What the real server says of chats that a bot cannot reach."""
    return BotApiError(400, "Bad Request: chat not found")


def _chat_numbers(value: Any) -> Iterator[int]:
    if value is None or value == "":
        return
    if isinstance(value, list):
        for item in value:
            yield from _chat_numbers(item)
    else:
        yield chat_number(value)


def _file_ids(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _file_ids(item)
    elif isinstance(value, str) and value and not value.lower().startswith(_ELSEWHERE):
        yield value
