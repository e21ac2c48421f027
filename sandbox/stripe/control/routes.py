"""Addresses of the control interface; every one answers JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.stripe.account import Account
from sandbox.stripe.control.actions import table
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.errors import ApiError
from sandbox.stripe.faults import Faults
from sandbox.stripe.http import json_body, problem
from sandbox.stripe.values import Json

Action = Callable[[Json], Awaitable[Json]]


def control_routes(account: Account, dispatcher: Dispatcher, faults: Faults) -> list[Route]:
    """One route per action; GET lists, POST acts."""
    return [
        Route(f"/_control/{path}", _endpoint(action), methods=[method])
        for method, path, action in table(account, dispatcher, faults)
    ]


def _endpoint(action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            values = {**request.query_params, **(await json_body(request)), **request.path_params}
            return JSONResponse(await action(values))
        except ApiError as error:
            return JSONResponse(error.body("control"), status_code=error.status)
        except (ValueError, KeyError, TypeError) as error:
            return problem(f"{type(error).__name__}: {error}")

    return serve
