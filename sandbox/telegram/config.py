"""What a Telegram stand-in is told at start."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DEFAULT_TOKEN = "123456789:AAsandboxBotToken_0123456789abcdefgh"  # the shape of a real one: id, colon, 35 characters
DEFAULT_USERNAME = "ClawstackSandboxBot"


@dataclass(frozen=True, kw_only=True, slots=True)
class BotAccount:
    """One bot that exists from the start, as if BotFather had made it.

    `privacy` as BotFather calls it: in groups the bot sees only commands, mentions and replies to itself.
    """

    token: str
    username: str
    name: str = "Clawstack"
    privacy: bool = True

    @property
    def id(self) -> int:
        """Numeric id of the bot: the part of the token before the colon. Raises ValueError for another shape."""
        return int(self.token.split(":", 1)[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class TelegramConfig:
    """Settings of the stand-in; all times in seconds.

    `data` is a folder for the state that survives a restart (see memory.py); None keeps all in memory.
    `public_url` is where the stand-in can be reached, for links on its pages.
    """

    bots: tuple[BotAccount, ...] = (BotAccount(token=DEFAULT_TOKEN, username=DEFAULT_USERNAME),)
    data: Path | None = None
    public_url: str = ""
    now: Callable[[], float] = time.time
    update_lifetime: float = 24 * 3600.0  # the original keeps updates for 24 hours
    max_pending_updates: int = 10_000
    longest_poll: float = 50.0
    first_retry: float = 1.0
    longest_retry: float = 60.0
    webhook_timeout: float = 20.0
