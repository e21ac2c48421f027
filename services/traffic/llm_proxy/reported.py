"""Usage as vendors report it, read by its shape and not by its place in an answer.

Shapes: OpenAI's chat completions (`prompt_tokens`, `completion_tokens`) and responses, Anthropic's messages
(`input_tokens`, `output_tokens`; cache reads and writes beside them). Anthropic's counts are cumulative: a later one
replaces an earlier one and is never added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.traffic.ledger.schemas import TokenCount

_HIGHEST: Final = 10**9  # more than any request can use; larger numbers are damage


@dataclass(kw_only=True, slots=True)
class ReportedUsage:
    """What was reported so far in one answer."""

    raw: dict[str, Any] = field(default_factory=dict)
    """The latest value of every field, as the vendor wrote it: a pricing mistake can be re-rated from here."""

    def observe(self, document: object) -> bool:
        """Look for usage in one JSON document (a whole answer or one event); True when there was some."""
        found = False
        for usage in _candidates(document):
            known = {key: value for key, value in usage.items() if value is not None}
            if _count_of({**self.raw, **known}) is not None:
                self.raw.update(known)
                found = True
        return found

    def count(self) -> TokenCount | None:
        """Tokens used, None while nothing usable was reported."""
        return _count_of(self.raw)


def _candidates(document: object) -> list[Mapping[str, Any]]:
    if not isinstance(document, dict):
        return []
    holders: list[object] = [document, document.get("message"), document.get("response")]
    choices = document.get("choices")
    holders += choices if isinstance(choices, list) else []
    usages = [holder.get("usage") for holder in holders if isinstance(holder, dict)]
    return [usage for usage in usages if isinstance(usage, dict)]


def _count_of(usage: Mapping[str, Any]) -> TokenCount | None:
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _openai(usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        return _anthropic(usage) if _is_anthropic(usage) else _responses(usage)
    return None


def _openai(usage: Mapping[str, Any]) -> TokenCount | None:
    prompt, completion = _number(usage.get("prompt_tokens", 0)), _number(usage.get("completion_tokens", 0))
    cached = _number(_member(usage, "prompt_tokens_details", "cached_tokens"))
    total = _number(usage.get("total_tokens", 0))
    if prompt is None or completion is None:
        return None
    # Some vendors leave hidden reasoning out of completion_tokens, but count it in total_tokens.
    output = max(completion, (total or 0) - prompt)
    return TokenCount(input=prompt, cached=min(cached or 0, prompt), output=output)


def _responses(usage: Mapping[str, Any]) -> TokenCount | None:
    given, output = _number(usage.get("input_tokens", 0)), _number(usage.get("output_tokens", 0))
    cached = _number(_member(usage, "input_tokens_details", "cached_tokens"))
    if given is None or output is None:
        return None
    return TokenCount(input=given, cached=min(cached or 0, given), output=output)


def _is_anthropic(usage: Mapping[str, Any]) -> bool:
    return "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage


def _anthropic(usage: Mapping[str, Any]) -> TokenCount | None:
    fresh, output = _number(usage.get("input_tokens", 0)), _number(usage.get("output_tokens", 0))
    read = _number(usage.get("cache_read_input_tokens", 0))
    written = _number(usage.get("cache_creation_input_tokens", 0))
    if fresh is None or output is None or read is None or written is None:
        return None
    return TokenCount(input=fresh + read + written, cached=read, output=output)


def _member(usage: Mapping[str, Any], outer: str, inner: str) -> object:
    details = usage.get(outer)
    return details.get(inner, 0) if isinstance(details, dict) else 0


def _number(value: object) -> int | None:
    """A token count, or None for anything that cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _HIGHEST or value != int(value):
        return None
    return int(value)
