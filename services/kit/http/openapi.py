"""The OpenAPI document: what every operation may be refused with, derived from what it takes and depends on.

Refusals have one body (`error_body`) and stand once, as components; no endpoint lists them by hand. What only the words of
an endpoint know (`refuses`) is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from services.kit.http.intake import intake_of

Json = dict[str, Any]

EVENT_STREAM: Final = "text/event-stream"

#: For `responses=` of an endpoint that also answers with a stream of events.
STREAMS: Final[dict[int | str, Json]] = {200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}}

_ERROR: Final[Json] = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "description": "The refusal.",
            "required": ["code", "message", "remedy"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "description": "What went wrong, as a stable word for programs."},
                "message": {"type": "string", "description": "What and why, as a sentence for people."},
                "remedy": {"type": ["string", "null"], "description": "What to do about it; null where nothing helps."},
            },
        }
    },
}

_MEANINGS: Final = {
    400: "The request cannot be read, for example as JSON.",
    401: "No token, or one that is not valid.",
    403: "A valid token that may not do this.",
    404: "No such thing, or none that the caller may see.",
    408: "The body did not arrive in time.",
    409: "A sound request that the present state forbids.",
    413: "The body is too large.",
    422: "A value that cannot be used; the message names it.",
    429: "A limit is used up; `Retry-After` says when it renews, where that is known.",
    503: "Something that this needs does not answer; try again after `Retry-After`.",
}
_HEADERS: Final = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


@dataclass(frozen=True, kw_only=True)
class _Operation:
    """What refusals follow from."""

    path: str
    method: str
    document: Json
    dependant: Dependant | None

    def secured(self) -> bool:
        return bool(self.document.get("security"))

    def takes(self) -> bool:
        return bool(self.document.get("parameters")) or "requestBody" in self.document

    def writes(self) -> bool:
        return self.method not in {"get", "head"}

    def limited(self) -> bool:
        """By address, or because a stream holds a connection."""
        streams = any(EVENT_STREAM in answer.get("content", {}) for answer in self.document["responses"].values())
        return streams or (self.dependant is not None and intake_of(self.dependant.call).before is not None)

    def depends(self) -> bool:
        return self.dependant is not None and bool(self.dependant.dependencies)


_RULES: Final[dict[int, Callable[[_Operation], bool]]] = {
    400: lambda operation: "requestBody" in operation.document,
    401: _Operation.secured,
    403: _Operation.secured,
    404: lambda operation: "{" in operation.path,
    408: _Operation.writes,  # the intake reads whatever came, wanted or not
    409: lambda operation: operation.writes() and operation.secured(),
    413: _Operation.writes,
    422: _Operation.takes,
    429: _Operation.limited,
    503: _Operation.depends,
}


def refuses(*statuses: int) -> dict[int | str, Json]:
    """For `responses=` of an endpoint: refusals that nothing in its signature tells of."""
    return {status: {"$ref": f"#/components/responses/{_name(status)}"} for status in statuses}


def install(app: FastAPI) -> None:
    """Let `app` describe its refusals."""
    described = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _with_refusals(described(), app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _with_refusals(document: Json, app: FastAPI) -> Json:
    dependants = {
        (context.path_format, method.lower()): context.dependant
        for context in iter_route_contexts(app.routes)
        if hasattr(context, "dependant")
        for method in context.methods or ()
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            known = _Operation(path=path, method=method, document=operation, dependant=dependants.get((path, method)))
            operation["responses"] |= _refusals(known)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which is never sent
        schemas.pop(name, None)
    schemas["Error"] = _ERROR
    components["responses"] = {_name(status): _component(status) for status in _MEANINGS}
    return document


def _refusals(operation: _Operation) -> Json:
    given = operation.document["responses"]
    statuses = [status for status, follows in _RULES.items() if follows(operation)]
    own = {str(status) for status in given} - {"422"}
    found: Json = {str(status): answer for status, answer in refuses(*statuses).items() if str(status) not in own}
    for status in own:
        if "$ref" in given[status]:  # FastAPI adds a description of its own beside it
            found[status] = {"$ref": given[status]["$ref"]}
    return found


def _component(status: int) -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answer: Json = {"description": _MEANINGS[status], "content": content}
    if status in _HEADERS:
        answer["headers"] = {_HEADERS[status]: {"schema": {"type": "string"}, "description": _MEANINGS[status]}}
    return answer


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")
