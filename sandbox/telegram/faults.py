"""Trouble on demand: the next calls that match are refused, slowed, or cut off."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from sandbox.telegram.errors import BotApiError, flood


class FaultKind(StrEnum):
    """What can go wrong."""

    FLOOD = "flood"  # 429 with retry_after
    ERROR = "error"  # an answer with `status` and `description`
    SLOW = "slow"  # the answer comes after `seconds`
    RESET = "reset"  # the connection breaks before the call has an effect
    LOST_ANSWER = "lost_answer"  # the connection breaks after the call had its effect


@dataclass(kw_only=True, slots=True)
class Fault:
    """One order for trouble: for `times` calls of `method` (any when empty) of `bot` (username, any when empty)."""

    kind: FaultKind
    times: int = 1
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


class FaultList:
    """Orders in the sequence they came; each is used up by its calls."""

    def __init__(self) -> None:
        self._orders: deque[Fault] = deque()

    def add(self, fault: Fault) -> None:
        """Take an order."""
        self._orders.append(fault)

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()

    def take(self, *, method: str, bot: str, chat_id: str) -> Fault | None:
        """Return the first order that means this call, and count it."""
        for fault in self._orders:
            if fault.matches(method=method, bot=bot, chat_id=chat_id):
                fault.times -= 1
                if fault.times <= 0:
                    self._orders.remove(fault)
                return fault
        return None
