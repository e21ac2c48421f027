"""What can go wrong between us, Telegram and a cell."""

from __future__ import annotations

from clawstack.errors import RequestError, TemporaryError


class MalformedUpdateError(RequestError):
    """A body that is no update of the Bot API."""

    code = "malformed_update"


class BotApiError(RequestError):
    """A refusal in the shape of the Bot API: what the real one said, or what the router says to a cell."""

    code = "telegram_refused"

    def __init__(self, error_code: int, description: str, *, retry_after: int | None = None) -> None:
        """`error_code`: the HTTP status too; `retry_after`: seconds, for 429."""
        super().__init__(description)
        self.error_code = error_code
        self.retry_after = retry_after


class TelegramUnavailableError(TemporaryError):
    """The real Bot API does not answer. The sentence never holds a URL, because a URL holds the token."""

    code = "telegram_unavailable"
