"""Routes that answer with pages also when they fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from typing_extensions import override

from clawstack.errors import ClawstackError
from clawstack.logs import get_logger
from services.kit.http.intake import BoundedRoute
from services.kit.http.provided import find
from services.kit.pages.rendering import Pages

log = get_logger(__name__)
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_SERVER_ERROR = 500
_OURS = "Something on our side does not work. It has been recorded."
_LATER = "Please try again in a few minutes."


class PageRoute(BoundedRoute):
    """A route for people's pages: errors of the request become the error page of its application instead of JSON.

    Errors of the server keep their detail to the log: a visitor can do nothing with it.
    """

    @override
    def get_route_handler(self) -> _Handler:
        """The endpoint, and what is answered when it fails."""
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            pages = find(request, Pages)
            try:
                return await original(request)
            except ClawstackError as error:
                return _explain(pages, error)
            except RequestValidationError:
                return pages.error(status=422, message="The address holds a value that cannot be used.")
            except HTTPException as error:
                return pages.error(status=error.status_code, message=str(error.detail))

        return handler


def _explain(pages: Pages, error: ClawstackError) -> Response:
    if error.status == _SERVER_ERROR:
        log.error("page_failed", code=error.code, message=error.sentence(), exc_info=error)
        return pages.error(status=error.status, message=_OURS, remedy=_LATER)
    if error.status > _SERVER_ERROR:
        log.warning("page_unavailable", code=error.code, message=error.sentence())
        response = pages.error(status=error.status, message="That is not possible at the moment.", remedy=_LATER)
    else:
        response = pages.error(status=error.status, message=error.message, remedy=error.remedy)
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after))
    return response
