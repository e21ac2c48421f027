"""What every method receives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.telegram.model.bots import Bot
from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.params import Params
from sandbox.telegram.model.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of one bot."""

    world: World
    bot: Bot
    params: Params

    @property
    def now(self) -> float:
        """The stand-in's time, in seconds."""
        return self.world.config.now()

    def chat(self) -> Chat:
        """Return the chat of chat_id. Raises a 400."""
        return self.bot.chat(self.params.text("chat_id"))

    def reachable_chat(self) -> Chat:
        """Return the chat of chat_id if the bot may write there. Raises a 400 or 403."""
        chat = self.chat()
        chat.must_reach()
        return chat


@dataclass(frozen=True, slots=True)
class Said:
    """A result that carries a description, as setWebhook's does."""

    result: Any
    description: str


Method = Callable[[Call], Awaitable[Any]]
