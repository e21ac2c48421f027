"""Every error leaves in one shape: `{"error": {"code", "message", "remedy"}}`, with the status of its class."""

from __future__ import annotations

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from clawstack.errors import ClawstackError
from clawstack.logs import get_logger
from clawstack.redaction import Redactor

log = get_logger(__name__)

_CODES = {400: "bad_request", 401: "not_authenticated", 403: "permission_denied", 404: "not_found"}
_CODES |= {405: "method_not_allowed", 408: "request_timeout", 413: "payload_too_large", 429: "limit_exceeded"}


def error_body(code: str, message: str, remedy: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"code": code, "message": message, "remedy": remedy}}


def response_of(error: ClawstackError) -> JSONResponse:
    """The HTTP answer to one of our own errors."""
    headers = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(math.ceil(retry_after))
    if error.status == 401:  # noqa: PLR2004 - the number is the name
        headers["WWW-Authenticate"] = "Bearer"
    body = error_body(error.code, error.message, error.remedy)
    return JSONResponse(body, status_code=error.status, headers=headers)


def install(app: FastAPI, redactor: Redactor) -> None:
    """Give `app` the house's answers to errors."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ClawstackError)  # noqa: S101 - registered for this class only
        if error.status >= 500:  # noqa: PLR2004 - server errors
            log.error("request_failed", code=error.code, message=redactor.text(error.message))
        return response_of(error)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
        return _validation_response(error)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
        code = _CODES.get(error.status_code, "request_refused")
        return JSONResponse(error_body(code, str(error.detail)), error.status_code, headers=dict(error.headers or {}))

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected_error", path=redactor.text(request.url.path), error=type(error).__name__, exc_info=error)
        message = "Something went wrong on our side; it has been recorded."
        return JSONResponse(error_body("internal_error", message, "Please try again in a minute."), 500)

    app.add_exception_handler(ClawstackError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def _validation_response(error: RequestValidationError) -> JSONResponse:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return JSONResponse(error_body("malformed_json", "The body is not valid JSON.", "Send a JSON object."), 400)
    lines = [
        f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}" for problem in problems
    ]
    return JSONResponse(error_body("invalid_input", "; ".join(lines)[:1000], "See /openapi.json for the fields."), 422)
