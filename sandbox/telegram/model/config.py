"""What a Telegram stand-in is told at start."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from sandbox.frame.config import StandInConfig
from sandbox.frame.values import Json

DEFAULT_TOKEN: Final = (
    "123456789:AAsandboxBotToken_0123456789abcdefgh"  # the shape of a real one: id, colon, 35 characters
)
DEFAULT_USERNAME: Final = "ClawstackSandboxBot"


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


DEFAULT_BOTS: Final = (BotAccount(token=DEFAULT_TOKEN, username=DEFAULT_USERNAME),)


@dataclass(frozen=True, kw_only=True, slots=True)
class TelegramConfig(StandInConfig):
    """Settings of the stand-in; all times in seconds."""

    bots: tuple[BotAccount, ...] = DEFAULT_BOTS
    update_lifetime: float = 24 * 3600.0  # the original keeps updates for 24 hours
    max_pending_updates: int = 10_000
    longest_poll: float = 50.0
    first_retry: float = 1.0
    longest_retry: float = 60.0
    webhook_timeout: float = 20.0

    @override
    def addresses(self, root: str) -> Json:
        first = self.bots[0]
        links = {"telegram_api_root": root, "telegram_link_base": f"{root}/_chat"}
        return {**links, "telegram_bot_token": first.token, "telegram_bot_username": first.username}
