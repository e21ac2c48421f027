"""An answer in one form, and how many tokens it counts."""

import math
import re
import secrets
from dataclasses import dataclass, field

from sandbox.llm.prompt import Prompt

CHARACTERS_PER_TOKEN = 4
CACHE_BLOCK = 128  # OpenAI caches in blocks of 128 tokens, from 1024 on
CACHE_FROM = 1024
_PIECE = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call of a tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens. `cached` of the input were read from the cache; `written` went into it (Anthropic only)."""

    input: int
    output: int
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The answer to one prompt; no usage means that the vendor forgot it."""

    model: str
    created: int
    text: str
    usage: Usage | None
    include_usage: bool = True
    tool_calls: tuple[ToolCall, ...] = ()
    truncated: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(12))

    def pieces(self) -> list[str]:
        """Return the text in the pieces in which it is streamed: about a word each."""
        return _PIECE.findall(self.text)


def count_tokens(characters: int) -> int:
    """Return the tokens of a text of this length: a quarter, rounded up. Deterministic, not what a vendor counts."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def limit(text: str, max_tokens: int | None) -> tuple[str, bool]:
    """Return the text cut to the limit, and whether it was cut."""
    if max_tokens is None or count_tokens(len(text)) <= max_tokens:
        return text, False
    return text[: max_tokens * CHARACTERS_PER_TOKEN], True


class PrefixCache:
    """Remembers which beginnings each key has sent, as vendors' prompt caches do; bounded."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], None] = {}

    def look_up(self, key: str, prompt: Prompt) -> tuple[int, int]:
        """Return how many input tokens come from the cache and how many went into it; remember this beginning."""
        tokens = count_tokens(len(prompt.cacheable)) // CACHE_BLOCK * CACHE_BLOCK
        if tokens < CACHE_FROM:
            return 0, 0
        known = (key, prompt.cacheable) in self._seen
        self._seen[key, prompt.cacheable] = None
        if len(self._seen) > 1000:  # noqa: PLR2004
            del self._seen[next(iter(self._seen))]
        if known:
            return tokens, 0
        return 0, tokens if prompt.tells_cache_writes else 0
