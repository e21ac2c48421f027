"""A request in one form, whichever vendor's wire format it came in."""

from dataclasses import dataclass
from typing import Any, Literal

_PICTURES = frozenset({"image_url", "image", "input_image"})
Role = Literal["system", "user", "assistant", "tool"]


class RequestError(Exception):
    """A request that the vendor refuses: status, the vendor's code, what is wrong, seconds to wait if any."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message of the conversation."""

    role: Role
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """All that decides the answer.

    `cacheable` is the part that the vendor's cache may know; a vendor that tells cache writes counts a part that is new
    to the cache apart from other input.
    """

    model: str
    turns: tuple[Turn, ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    characters: int
    cacheable: str = ""
    pictures: int = 0
    tells_cache_writes: bool = False

    def system(self) -> str:
        """Return all that the operator of the assistant told the model."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "system")

    def user_texts(self) -> list[str]:
        """Return what came in the user's role, oldest first."""
        return [turn.text for turn in self.turns if turn.role == "user"]


def flat_text(content: Any) -> str:
    """Return the text of a message's content: a string, or parts of which those with text count."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else part.get("text", part.get("content", "")) for part in content]
    return "\n".join(text if isinstance(text, str) else flat_text(text) for text in texts if text)


def count_pictures(messages: list[dict[str, Any]]) -> int:
    """Return how many pictures the user sent since the assistant's last word."""
    latest: list[Any] = []
    for message in messages:
        latest = [] if message.get("role") == "assistant" else [*latest, message.get("content")]
    parts = [part for content in latest if isinstance(content, list) for part in content if isinstance(part, dict)]
    return sum(part.get("type") in _PICTURES for part in parts)


def required_model(body: dict[str, Any]) -> str:
    """Return the model. Raises RequestError when there is none."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestError(400, "missing_required_parameter", "you must provide a model parameter")
    return model


def required_list(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects. Raises RequestError when it is missing or empty."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise RequestError(400, "missing_required_parameter", f"Missing required parameter: '{name}'.")
    return value
