"""The ASGI application: API under /v1, pages under /pay and /portal, control under /_control."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.frame.app import stand_in
from sandbox.frame.background import Work
from sandbox.stripe.api.core import Api
from sandbox.stripe.api.http import base_of
from sandbox.stripe.api.table import ENDPOINTS
from sandbox.stripe.api.wire import ApiEndpoint
from sandbox.stripe.control.control import Control
from sandbox.stripe.control.targets import install_target
from sandbox.stripe.delivery.worker import Dispatcher
from sandbox.stripe.engine.due import Ticker
from sandbox.stripe.model.config import StripeConfig
from sandbox.stripe.model.faults import Faults
from sandbox.stripe.pages.routes import page_routes
from sandbox.stripe.store.account import Account
from sandbox.stripe.store.database import Database

FILE_NAME = "stripe.sqlite3"


def create_app(config: StripeConfig) -> Starlette:
    """A Stripe account behind one ASGI app.

    Background work (webhooks, things that fall due) starts with the app's lifespan, or with the first request when a
    parent app mounts this one and does not pass its lifespan on.
    """
    folder = config.data or Path(tempfile.mkdtemp(prefix="sandbox-stripe-"))
    account = Account(config, Database(folder / FILE_NAME))
    dispatcher = Dispatcher(account)
    account.outbox = dispatcher
    if config.webhook is not None:
        install_target(account, config.webhook)
    work: list[Work] = [dispatcher, Ticker(account)]
    faults = Faults()
    routes = [
        *page_routes(account),
        *Control(account, dispatcher, faults).routes(),
        Route("/{path:path}", ApiEndpoint(Api(account, ENDPOINTS), faults)),
    ]
    awake = Middleware(_Awake, account=account, work=work)
    return stand_in(routes, work=work, middleware=[awake], at_end=account.database.close)


class _Awake:
    """Pure ASGI: starts background work at the first request, and remembers under which address people come."""

    def __init__(self, app: ASGIApp, account: Account, work: Sequence[Work]) -> None:
        self.app, self.account, self.work = app, account, work
        self.base = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] == "http":
            for one in self.work:
                one.start()
            base = base_of(Request(scope), self.account)
            if base != self.base:
                self.base = base
                self.account.settings.put("public_url", base)
        await self.app(scope, receive, send)
