"""What processes call one another about."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

CHANNEL: Final = "clawstack_telegram"


class Topic(StrEnum):
    """What a call is about; its subject is a tenant, a token's key or a bot."""

    UPDATE = "update"
    """A tenant's queue grew, or its bot was changed."""
    POLL = "poll"
    """A tenant's cell began a poll; the detail is its number, and earlier ones end."""
    TOKEN = "token"  # noqa: S105 - a topic, not a token
    """A channel token was revoked."""
    REPLY = "reply"
    """The router has something to say."""
