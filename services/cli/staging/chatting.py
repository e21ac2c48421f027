"""Writes to the assistant: by itself where Telegram is the stand-in; on Telegram itself only a person can."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from clawstack.errors import InvalidInputError
from services.cli.demonstration.parent import Parent
from services.cli.demonstration.world import Addresses
from services.cli.staging.platform import Platform

_STAND_IN: Final = re.compile(r"(?P<root>.+)/_chat/(?P<bot>\w+)\?start=[\w-]+")


@dataclass(frozen=True, kw_only=True)
class _Elsewhere:
    """What a parent must know of where things are."""

    urls: Addresses
    closing: list[Callable[[], object]] = field(default_factory=list)

    def at_close(self, close: Callable[[], object]) -> None:
        self.closing.append(close)


def chat(platform: Platform, signup_id: str, link: str, *, say: Callable[[str], object], seconds: float) -> str:
    """What the assistant answered, or that it did; raises TemporaryError when it did not."""
    found = _STAND_IN.fullmatch(link)
    if found is not None:
        return _on_the_stand_in(platform, found["root"], found["bot"], link, seconds)
    say(f"Open {link} with Telegram, press Start and write a word to the assistant.")
    tokens = platform.await_(lambda: platform.tokens_used(signup_id), "an answer on Telegram", seconds=seconds)
    return f"{tokens} tokens on the ledger"


def require_somebody(platform: Platform, link: str) -> None:
    """Raises InvalidInputError where nobody could see that the assistant answered."""
    if _STAND_IN.fullmatch(link) is None and not platform.sees_usage:
        raise InvalidInputError(
            "On Telegram itself a person writes, and whether the assistant answered only its ledger shows.",
            code="token_missing",
            remedy="Set SMOKE_TOKEN to an operator's token (`clawstack token create smoke`), or --no-chat.",
        )


def _on_the_stand_in(platform: Platform, root: str, bot: str, link: str, seconds: float) -> str:
    urls = Addresses(platform=platform.url, sandbox="", stripe="", telegram=root, telegram_link_base="", llm="")
    place = _Elsewhere(urls=urls)
    try:
        # A chat of its own every time: the number is made of the link's code, which is used once.
        parent = Parent(place, chat_id=int.from_bytes(link[-6:].encode()), name="Smoke", bot=bot)
        parent.open_link(link)
        parent.write("hi")
        return parent.next_message(seconds=seconds)
    finally:
        for close in place.closing:
            close()
