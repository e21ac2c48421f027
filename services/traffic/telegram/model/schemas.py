"""Values that cross the router's borders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.kit.backoff import Backoff


class SeenKind(StrEnum):
    """Kinds of ids that only the tenant they reached may use."""

    FILE = "file"
    PATH = "path"
    CALLBACK = "callback"
    POLL = "poll"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A deep link that connects the chat in which it is opened with a tenant."""

    code: str
    url: str
    """For a private chat."""
    group_url: str
    """Adds the bot to a group that the person chooses and connects it."""
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """How long things may take. The defaults are for production; tests shorten or lengthen single ones."""

    token_ttl: timedelta = timedelta(seconds=1)
    """How long a channel token is taken for good without asking the database."""
    longest_poll: timedelta = timedelta(seconds=50)
    """As the real Bot API."""
    recheck: timedelta = timedelta(seconds=10)
    """How often a waiting poll looks by itself, should a wake-up call be lost."""
    upstream_timeout: timedelta = timedelta(seconds=60)
    """Longest time for one call of the real Bot API, uploads included."""
    real_poll: timedelta = timedelta(seconds=25)
    """Long poll of the real bot."""
    identity_ttl: timedelta = timedelta(minutes=10)
    push_timeout: timedelta = timedelta(seconds=15)
    push_lease: timedelta = timedelta(seconds=40)
    """Longer than one push: a process that dies is replaced after this time."""
    first_retry: timedelta = timedelta(seconds=1)
    longest_retry: timedelta = timedelta(seconds=60)
    conflict_pause: timedelta = timedelta(seconds=3)
    """After Telegram said that somebody else polls the real bot."""
    stand_by: timedelta = timedelta(seconds=2)
    """How often a process that stands by tries to take over the intake."""
    webhook_check: timedelta = timedelta(minutes=5)
    """How often the real bot's webhook is compared with ours."""

    def backoff(self) -> Backoff:
        """Pauses after failures in a row."""
        return Backoff(first=self.first_retry.total_seconds(), longest=self.longest_retry.total_seconds())


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long rows stay."""

    finished_updates: timedelta = timedelta(days=3)
    """Telegram repeats an update for at most 24 hours; only id, chat and outcome are kept, never the text."""
    waiting_updates: timedelta = timedelta(days=30)
    """What waits longer for a suspended cell is given up."""
    callbacks: timedelta = timedelta(days=1)
    """Telegram lets a button press be answered for minutes."""
    polls: timedelta = timedelta(days=30)
    files: timedelta = timedelta(days=180)
    """Since the tenant last saw or used the file."""
    paths: timedelta = timedelta(days=1)
    """Telegram's download links live for an hour."""
    replies: timedelta = timedelta(days=7)
    tokens: timedelta = timedelta(days=30)


MAX_UPLOAD_BYTES = 52 * 1024 * 1024
"""The Bot API takes uploads of at most 50 MB (core.telegram.org/bots/api#sending-files), plus fields and headers."""

SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
"""What tells a receiver of updates that they come from a Bot API, the real or the virtual one."""
