"""Server-sent events as vendors write them."""

import json
from typing import Any


def data_frame(body: dict[str, Any]) -> str:
    """Return an event without a name (OpenAI)."""
    return f"data: {compact(body)}\n\n"


def named_frame(body: dict[str, Any]) -> str:
    """Return an event named after its type (Anthropic, OpenAI responses)."""
    return f"event: {body['type']}\ndata: {compact(body)}\n\n"


def compact(body: Any) -> str:
    """Return JSON without needless blanks."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
