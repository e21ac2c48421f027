"""Joins the stand-in to one ASGI app: `/v1` as the original has it, and `/_control` for tests."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.hcloud.api import Api
from sandbox.hcloud.config import HcloudConfig
from sandbox.hcloud.control import Control
from sandbox.hcloud.endpoints import Endpoints
from sandbox.hcloud.memory import Memory
from sandbox.hcloud.world import World
from sandbox.waiting import Changes


def create_app(config: HcloudConfig) -> Starlette:
    """Return the stand-in. Its lifespan keeps the state; `app.state.close()` ends slow answers at once."""
    world, changes = World(config), Changes()
    api = Api(world)
    memory = Memory(world, config.data) if config.data is not None else None

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if memory is not None:
            memory.load()
            memory.start()
        try:
            yield
        finally:
            changes.close()
            if memory is not None:
                await memory.stop()

    endpoints = Endpoints(world, api, changes)
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    routes = [Route("/v1/{path:path}", endpoints.call, methods=methods), *Control(world, api).routes()]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.close = changes.close
    return app
