"""Answers about models and usage: pure.

`catalog` and `usage` are what OpenClaw's bundled `clawrouter` plugin reads (its sources, 2026.9.6), so that a cell finds
its models and shows its quota in chat; the further fields are for people and programs that ask directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from clawstack.plans import MICRO, ModelPrice
from services.traffic.ledger.schemas import Usage, next_period_starts


def models(allowed: Mapping[str, ModelPrice]) -> dict[str, Any]:
    """OpenAI's list of models."""
    rows = [
        {"id": name, "object": "model", "created": 0, "owned_by": price.upstream} for name, price in allowed.items()
    ]
    return {"object": "list", "data": rows}


def catalog(allowed: Mapping[str, ModelPrice]) -> dict[str, Any]:
    """The clawrouter catalogue: one provider per upstream, every model by chat completions."""
    upstreams = dict.fromkeys(price.upstream for price in allowed.values())
    return {"providers": [_provider(upstream, allowed) for upstream in upstreams]}


def usage(used: Usage) -> dict[str, Any]:
    """The clawrouter usage document.

    The plugin knows one budget only, while a plan has two limits (tokens and cost): `budget` shows the nearer one as a
    share of the money, so that a customer who is refused sees 100 %.
    """
    return {
        "budget": {
            "configured": True,
            "limitMicros": used.budget_micro_usd,
            "spentMicros": round(used.budget_micro_usd * used.fraction()),
            "windowKey": f"month/{used.period}",
        },
        "usage": {
            "summary": {
                "requestCount": sum(model.requests for model in used.by_model),
                "totalTokens": used.tokens_used,
                "actualCostMicros": used.cost_micro_usd,
            }
        },
        "period": used.period,
        "resets_at": next_period_starts(used.period).isoformat(),
        "tokens": {"used": used.tokens_used, "reserved": used.tokens_reserved, "limit": used.tokens_limit},
        "models": [
            {
                "id": model.model,
                "requests": model.requests,
                "input_tokens": model.input_tokens,
                "cached_input_tokens": model.cached_input_tokens,
                "output_tokens": model.output_tokens,
            }
            for model in used.by_model
        ],
    }


def _provider(upstream: str, allowed: Mapping[str, ModelPrice]) -> dict[str, Any]:
    return {
        "id": upstream,
        "displayName": upstream.capitalize(),
        "openaiCompatible": True,
        "nativeBaseUrl": f"/v1/native/{upstream}",  # the plugin drops providers without one; nothing answers there
        "routes": [{"path": "/v1/chat/completions", "requestFormat": "openai.chat_completions", "methods": ["POST"]}],
        "models": [_model(name, price) for name, price in allowed.items() if price.upstream == upstream],
    }


def _model(name: str, price: ModelPrice) -> dict[str, Any]:
    return {
        "id": name,
        "displayName": name,
        "upstream": name,
        "capabilities": ["llm.chat"],
        "pricing": {
            "inputMicrosPerMillion": _micros(price.input),
            "cachedInputMicrosPerMillion": _micros(price.cached_input),
            "outputMicrosPerMillion": _micros(price.output),
            "maxInputTokens": price.context_window,
            "defaultMaxOutputTokens": price.max_output,
        },
    }


def _micros(dollars: Decimal) -> int:
    return int(dollars * MICRO)
