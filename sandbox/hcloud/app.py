"""Joins the stand-in to one ASGI app: `/v1` as the original has it, and `/_control` for tests."""

from starlette.applications import Starlette
from starlette.routing import Route

from sandbox.frame.app import stand_in
from sandbox.frame.waiting import Changes
from sandbox.hcloud.api import Api
from sandbox.hcloud.control import Control
from sandbox.hcloud.endpoints import Endpoints
from sandbox.hcloud.memory import Memory
from sandbox.hcloud.model.config import HcloudConfig
from sandbox.hcloud.model.world import World


def create_app(config: HcloudConfig) -> Starlette:
    """Return the stand-in. Its lifespan keeps the state; `app.state.close()` ends slow answers at once."""
    world, changes = World(config), Changes()
    api = Api(world)
    memory = [Memory(world, config.data)] if config.data is not None else []
    endpoints = Endpoints(world, api, changes)
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    routes = [Route("/v1/{path:path}", endpoints.call, methods=methods), *Control(world, api).routes()]
    return stand_in(routes, work=memory, close=changes.close)
