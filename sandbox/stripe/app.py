"""The ASGI application: API under /v1, pages under /pay and /portal, control under /_control."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.stripe.account import Account
from sandbox.stripe.api.core import Api
from sandbox.stripe.api.table import ENDPOINTS
from sandbox.stripe.api.wire import ApiEndpoint
from sandbox.stripe.config import StripeSandboxConfig
from sandbox.stripe.control.routes import control_routes
from sandbox.stripe.control.targets import install_target
from sandbox.stripe.database import Database
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.engine.due import Ticker
from sandbox.stripe.faults import Faults
from sandbox.stripe.http import base_of
from sandbox.stripe.pages.routes import page_routes

FILE_NAME = "stripe.sqlite3"


def create_app(config: StripeSandboxConfig) -> Starlette:
    """A Stripe account behind one ASGI app.

    Background work (webhooks, things that fall due) starts with the app's lifespan, or with the first request when a
    parent app mounts this one and does not pass its lifespan on.
    """
    account = Account(config, Database(config.data_dir / FILE_NAME))
    dispatcher = Dispatcher(account)
    account.outbox = dispatcher
    if config.webhook is not None:
        install_target(account, config.webhook)
    ticker, faults = Ticker(account), Faults()

    def start() -> None:
        dispatcher.start()
        ticker.start()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        start()
        yield
        await ticker.stop()
        await dispatcher.stop()
        account.database.close()

    return Starlette(
        routes=[
            *page_routes(account),
            *control_routes(account, dispatcher, faults),
            Route("/{path:path}", ApiEndpoint(Api(account, ENDPOINTS), faults)),
        ],
        middleware=[Middleware(_Awake, account=account, start=start)],
        lifespan=lifespan,
    )


class _Awake:
    """Pure ASGI: starts background work at the first request, and remembers under which address people come."""

    def __init__(self, app: ASGIApp, account: Account, start: Callable[[], None]) -> None:
        self.app, self.account, self.start = app, account, start
        self.base = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] == "http":
            self.start()
            base = base_of(Request(scope), self.account)
            if base != self.base:
                self.base = base
                self.account.settings.put("public_url", base)
        await self.app(scope, receive, send)
