"""Refusals of the Bot API, in the original's words. Source: core.telegram.org/bots/api and its open source server."""

from typing import Any


class BotApiError(Exception):
    """A call that the Bot API refuses; `parameters` may carry retry_after (seconds)."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """Return the answer as the original shapes it."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters is not None:
            answer["parameters"] = self.parameters
        return answer


def bad_request(what: str) -> BotApiError:
    """Return a 400 with the original's prefix."""
    return BotApiError(400, f"Bad Request: {what}")


def conflict(what: str) -> BotApiError:
    """Return a 409 with the original's prefix."""
    return BotApiError(409, f"Conflict: {what}")


def flood(retry_after: int) -> BotApiError:
    """Return a 429 that names the seconds to wait."""
    return BotApiError(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})
