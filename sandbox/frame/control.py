"""The control interface below /_control: what tests, the demo and people do to the outside world."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.frame.faults import Orders, OrderT
from sandbox.frame.values import Json
from sandbox.frame.waiting import Changes

LONGEST_WAIT: Final = 120.0
LARGEST_ORDER: Final = 1_000_000
"""Bytes of an order's body; the largest that anybody sends has a few thousand."""
WRONG: Final = (LookupError, ValueError, TypeError)  # what a wrong order raises; a stand-in adds its API's refusals
DONE: Final[Json] = {"ok": True}

Action = Callable[[Request], Awaitable[Json]]
Row = tuple[str, str, Action]
Found = TypeVar("Found")


def control_routes(
    rows: Iterable[Row], refusal: Callable[[Exception], Response], *, wrong: tuple[type[Exception], ...] = WRONG
) -> list[Route]:
    """Return one route per row of method, path below /_control and action; `refusal` answers what is in `wrong`."""

    def endpoint(action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            try:
                return JSONResponse(await action(request))
            except wrong as error:
                return refusal(error)

        return serve

    return [Route(f"/_control/{path}", endpoint(action), methods=[method]) for method, path, action in rows]


def fault_rows(orders: Orders[OrderT]) -> list[Row]:
    """Return the rows that order trouble and take it back."""

    async def add(request: Request) -> Json:
        orders.add(await json_body(request))
        return DONE

    async def clear(_: Request) -> Json:
        orders.clear()
        return DONE

    return [("POST", "faults", add), ("DELETE", "faults", clear)]


async def json_body(request: Request) -> Json:
    """Return the JSON object of a request; an empty body means {}. Raises ValueError for anything else, and for too much of it."""
    raw = await request.body()
    if len(raw) > LARGEST_ORDER:
        raise ValueError(f"The body is larger than {LARGEST_ORDER} bytes.")
    body = json.loads(raw) if raw else {}
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - the caller's input, not a type error
    return body


def flag(request: Request, name: str) -> bool:
    """Tell whether a query parameter is set."""
    return request.query_params.get(name, "") in {"1", "true"}


async def news(
    request: Request, changes: Changes, since: Callable[[int], Sequence[Found]], number: Callable[[Found], int]
) -> tuple[int, Sequence[Found]]:
    """Return what came after number `after`, waiting up to `wait` seconds for it, and the number to ask from next.

    Raises ValueError for a parameter that is no number.
    """
    after = int(request.query_params.get("after", "0"))
    wait = min(float(request.query_params.get("wait", "0")), LONGEST_WAIT)
    found = await changes.until(lambda: since(after) or None, wait) or ()
    return (number(found[-1]) if found else after), found
