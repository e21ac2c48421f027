"""Joins the stand-in to one ASGI app."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.frame.app import stand_in
from sandbox.llm.anthropic_messages import AnthropicMessages
from sandbox.llm.config import LlmConfig
from sandbox.llm.control import Control
from sandbox.llm.dialect import Dialect
from sandbox.llm.endpoints import ModelApi
from sandbox.llm.faults import Faults
from sandbox.llm.journal import Journal
from sandbox.llm.openai_chat import OpenAiChat
from sandbox.llm.openai_responses import OpenAiResponses
from sandbox.llm.script import Script


def create_app(config: LlmConfig) -> Starlette:
    """Return the stand-in; `app.state.close()` ends all waits at once."""
    faults, script, journal = Faults(), Script(), Journal(config.kept_requests, config.kept_bytes)
    api = ModelApi(config, faults=faults, script=script, journal=journal)
    dialects: dict[str, Dialect] = {
        "/v1/chat/completions": OpenAiChat(),
        "/v1/responses": OpenAiResponses(),
        "/v1/messages": AnthropicMessages(),
    }
    routes = [_prompt_route(api, path, dialect) for path, dialect in dialects.items()]
    routes.append(Route("/v1/models", api.models))
    control = Control(api=api, faults=faults, script=script, journal=journal)

    def close() -> None:
        journal.changes.close()
        api.closing.close()

    return stand_in([*routes, *control.routes()], close=close)


def _prompt_route(api: ModelApi, path: str, dialect: Dialect) -> Route:
    async def complete(request: Request) -> Response:
        return await api.complete(request, dialect)

    return Route(path, complete, methods=["POST"])
