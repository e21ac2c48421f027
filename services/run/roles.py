"""What a process can be: all of it at once by default, or one role, to scale each by itself."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A set of parts that run in one process."""

    API = "api"
    """Pages, `/v1`, Stripe's webhooks."""
    WORKER = "worker"
    """Reconciles cells and runs every other job."""
    PROXY = "proxy"
    """`/llm`."""
    ROUTER = "router"
    """`/telegram` and Telegram's webhooks."""
