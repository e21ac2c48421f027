"""What a model stand-in is told at start."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from sandbox.frame.config import StandInConfig
from sandbox.frame.values import Json

DEFAULT_KEY: Final = "sk-sandbox-upstream-key-0123456789"


@dataclass(frozen=True, kw_only=True, slots=True)
class LlmConfig(StandInConfig):
    """Settings of the stand-in, which keeps nothing. An empty `models` accepts every model; times in milliseconds."""

    api_keys: frozenset[str] = frozenset({DEFAULT_KEY})
    models: tuple[str, ...] = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "claude-sonnet-5", "claude-haiku-5")
    first_token_ms: float = 0.0
    chunk_ms: float = 0.0
    kept_requests: int = 2000
    kept_bytes: int = 64_000_000

    @override
    def addresses(self, root: str) -> Json:
        key = min(self.api_keys)
        return {"llm_base_url": f"{root}/v1", "llm_anthropic_base_url": root, "llm_api_key": key}
