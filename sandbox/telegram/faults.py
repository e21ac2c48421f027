"""Trouble on demand: the next calls that match are refused, slowed, or cut off."""

from enum import StrEnum

from pydantic import Field

from sandbox.frame.faults import Order, Orders
from sandbox.telegram.model.errors import BotApiError, flood


class FaultKind(StrEnum):
    """What can go wrong."""

    FLOOD = "flood"  # 429 with retry_after
    ERROR = "error"  # an answer with `status` and `description`
    SLOW = "slow"  # the answer comes after `seconds`
    RESET = "reset"  # the connection breaks before the call has an effect
    LOST_ANSWER = "lost_answer"  # the connection breaks after the call had its effect


class Fault(Order):
    """One order for trouble: for `times` calls of `method` (any when empty) of `bot` (username, any when empty)."""

    kind: FaultKind
    times: int = Field(default=1, ge=1)
    method: str = ""
    bot: str = ""
    chat_id: str = ""
    seconds: float = 1.0
    retry_after: int = 1
    status: int = 500
    description: str = "Internal Server Error"

    def matches(self, *, method: str, bot: str, chat_id: str) -> bool:
        """Tell whether this call is meant."""
        same_method = self.method.lower() in {"", method.lower()}
        return same_method and self.bot.lower() in {"", bot.lower()} and self.chat_id in {"", chat_id}

    def error(self) -> BotApiError | None:
        """Return the refusal, None for kinds that are none."""
        if self.kind is FaultKind.FLOOD:
            return flood(self.retry_after)
        return BotApiError(self.status, self.description) if self.kind is FaultKind.ERROR else None


class Faults(Orders[Fault]):
    """Orders in the sequence they came; each is used up by its calls."""

    def __init__(self) -> None:
        super().__init__(Fault)

    def take(self, *, method: str, bot: str, chat_id: str) -> Fault | None:
        """Return the first order that means this call, and count it."""
        return self.first(lambda fault: fault.matches(method=method, bot=bot, chat_id=chat_id))
