"""Joins the stand-in to one ASGI app."""

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.frame.app import stand_in
from sandbox.frame.background import Work
from sandbox.telegram.control import Control
from sandbox.telegram.endpoints import BotApi
from sandbox.telegram.faults import Faults
from sandbox.telegram.journal import Journal
from sandbox.telegram.memory import Memory
from sandbox.telegram.model.config import TelegramConfig
from sandbox.telegram.model.world import World
from sandbox.telegram.pages import ChatPages
from sandbox.telegram.webhooks import WebhookSender


def create_app(config: TelegramConfig) -> Starlette:
    """Return the stand-in. Its lifespan pushes webhooks and keeps the state; `app.state.close()` ends all long polls at once."""
    world, faults, journal = World(config), Faults(), Journal()
    api = BotApi(world, faults, journal)
    memory: list[Work] = [Memory(world, config.data)] if config.data is not None else []

    def close() -> None:
        world.close()
        journal.changes.close()

    routes = [
        Route("/bot{token}/{method}", api.call, methods=["GET", "POST"]),
        Route("/file/bot{token}/{path:path}", api.download),
        *Control(world, faults, journal).routes(),
        *ChatPages(world).routes(),
    ]
    return stand_in(routes, work=[*memory, WebhookSender(world, api)], close=close)
