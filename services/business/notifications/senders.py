"""Ways for a message to reach a person."""

from __future__ import annotations

from typing import Protocol

from clawstack.logs import get_logger
from services.business.notifications.schemas import Message

log = get_logger(__name__)


class Sender(Protocol):
    """Something that can send messages."""

    async def send(self, message: Message) -> None:
        """Send it or raise; any exception means that it is tried again later. May be called twice for one message."""


class LogSender:
    """Writes messages into the log, where operators and their collectors read them."""

    async def send(self, message: Message) -> None:
        """One line."""
        log.info(
            "message",
            kind=message.kind,
            audience=message.audience.value,
            address=message.address,
            subject=message.subject,
            body=message.body,
        )
