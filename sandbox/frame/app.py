"""Joins a stand-in to one ASGI app."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from sandbox.frame.background import Work


def _nothing() -> None:
    pass


def stand_in(
    routes: Sequence[BaseRoute],
    *,
    work: Sequence[Work] = (),
    close: Callable[[], None] = _nothing,
    at_end: Callable[[], None] = _nothing,
    middleware: Sequence[Middleware] = (),
) -> Starlette:
    """Return the app. `app.state.close()` ends all waits at once; the lifespan runs `work`, ends it backwards, then calls `at_end`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(at_end)
            for one in work:
                one.start()
                stack.push_async_callback(one.stop)
            stack.callback(close)
            yield

    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.state.close = close
    return app
