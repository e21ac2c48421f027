"""A small chat page, so that a person can play the customer in a browser: what https://t.me/<bot>?start=CODE is."""

import html
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.telegram.model.world import World

FOLDER: Final = Path(__file__).with_name("pages")
ASSETS: Final = {"chat.js": "text/javascript", "chat.css": "text/css"}


class ChatPages:
    """Pages below /_chat."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_chat", self.index),
            Route("/_chat/_assets/{name}", self.asset),
            Route("/_chat/{username}", self.chat),
        ]

    async def index(self, request: Request) -> Response:
        """List the bots."""
        base = request.scope.get("root_path", "")
        links = "".join(
            f'<li><a href="{base}/_chat/{html.escape(b.account.username)}">@{html.escape(b.account.username)}</a></li>'
            for b in self._world.bots.values()
        )
        return HTMLResponse(f"<!doctype html><title>Bots</title><h1>Bots</h1><ul>{links}</ul>")

    async def chat(self, request: Request) -> Response:
        """Show the chat with one bot; `start` is the code of a deep link, `user` and `name` say who chats."""
        try:
            bot = self._world.bot_named(request.path_params["username"])
        except LookupError as error:
            return PlainTextResponse(str(error), status_code=404)
        page = (FOLDER / "chat.html").read_text(encoding="utf-8")
        filled = {"root": request.scope.get("root_path", ""), "bot": bot.account.username, "name": bot.account.name}
        for key, value in filled.items():
            page = page.replace(f"{{{{ {key} }}}}", html.escape(value))
        return HTMLResponse(page)

    async def asset(self, request: Request) -> Response:
        """Serve the page's script and style."""
        name = request.path_params["name"]
        if name not in ASSETS:
            return PlainTextResponse("Not Found", status_code=404)
        return FileResponse(FOLDER / name, media_type=ASSETS[name])
