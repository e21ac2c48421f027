"""What a model stand-in is told at start."""

import time
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_KEY = "sk-sandbox-upstream-key-0123456789"


@dataclass(frozen=True, kw_only=True, slots=True)
class LlmConfig:
    """Settings of the stand-in. An empty `models` accepts every model; times in milliseconds."""

    api_keys: frozenset[str] = frozenset({DEFAULT_KEY})
    models: tuple[str, ...] = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "claude-sonnet-5", "claude-haiku-5")
    first_token_ms: float = 0.0
    chunk_ms: float = 0.0
    now: Callable[[], float] = time.time
    kept_requests: int = 2000
    kept_bytes: int = 64_000_000
