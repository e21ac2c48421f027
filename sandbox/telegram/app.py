"""Joins the stand-in to one ASGI app."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.telegram.calls import CallJournal
from sandbox.telegram.config import TelegramConfig
from sandbox.telegram.control import Control
from sandbox.telegram.endpoints import BotApi
from sandbox.telegram.faults import FaultList
from sandbox.telegram.memory import Memory
from sandbox.telegram.pages import ChatPages
from sandbox.telegram.webhooks import WebhookSender
from sandbox.telegram.world import World


def create_app(config: TelegramConfig) -> Starlette:
    """Return the stand-in. Its lifespan pushes webhooks and keeps the state; `app.state.close()` ends all long polls at once."""
    world, faults, calls = World(config), FaultList(), CallJournal()
    api = BotApi(world, faults, calls)
    sender = WebhookSender(world, api)
    memory = Memory(world, config.data) if config.data is not None else None

    def close() -> None:
        world.close()
        calls.changes.close()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if memory is not None:
            memory.load()
            memory.start()
        await sender.start()
        try:
            yield
        finally:
            close()
            await sender.stop()
            if memory is not None:
                await memory.stop()

    routes = [
        Route("/bot{token}/{method}", api.call, methods=["GET", "POST"]),
        Route("/file/bot{token}/{path:path}", api.download),
        *Control(world, faults, calls).routes(),
        *ChatPages(world).routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.close = close
    return app
