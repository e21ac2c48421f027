"""Answers in the shape of the Bot API (core.telegram.org/bots/api#making-requests)."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


def result(value: Any) -> Response:
    """Success."""
    return JSONResponse({"ok": True, "result": value})


def refusal(error_code: int, description: str, *, retry_after: int | None = None) -> Response:
    """Failure; the code is the HTTP status too."""
    body: dict[str, Any] = {"ok": False, "error_code": error_code, "description": description}
    headers = {}
    if retry_after is not None:
        body["parameters"] = {"retry_after": retry_after}
        headers["Retry-After"] = str(retry_after)
    return JSONResponse(body, status_code=error_code, headers=headers)


def unavailable(reason: str) -> Response:
    """The real Bot API, or our database, is not there: clients of the Bot API try again on 5xx."""
    return refusal(502, f"Bad Gateway: {reason}")
