"""The Bot API over HTTP: /bot<token>/<method> and /file/bot<token>/<path>."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.frame.breaking import break_connection
from sandbox.telegram.faults import Fault, FaultKind, Faults
from sandbox.telegram.journal import Journal
from sandbox.telegram.methods.call import Call, Said
from sandbox.telegram.methods.registry import METHODS
from sandbox.telegram.model.bots import TOKEN_SHAPE, Bot
from sandbox.telegram.model.errors import BotApiError
from sandbox.telegram.model.params import Params, read_params
from sandbox.telegram.model.world import World


class BotApi:
    """Answers bots."""

    def __init__(self, world: World, faults: Faults, journal: Journal) -> None:
        self._world = world
        self._faults = faults
        self._journal = journal

    async def call(self, request: Request) -> Response:
        """Answer one call of a method."""
        token, method = request.path_params["token"], request.path_params["method"]
        entry = self._journal.open(at=self._world.config.now(), token=token, method=method)
        try:
            bot = self._bot(token)
            params = await read_params(request)
            entry.params = dict(params.values) | dict.fromkeys(params.uploads, "(file)")
            fault = self._faults.take(method=method, bot=bot.account.username, chat_id=params.text("chat_id"))
            response = await self._with_fault(request, bot, params, fault)
        except BotApiError as error:
            response = _refusal(error)
        entry.code = response.status_code
        return response

    async def _with_fault(self, request: Request, bot: Bot, params: Params, fault: Fault | None) -> Response:
        if fault is not None:
            if (error := fault.error()) is not None:
                raise error
            if fault.kind is FaultKind.RESET:
                return await break_connection(request)
            if fault.kind is FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
        answer = await self.run(bot, request.path_params["method"], params)
        if fault is not None and fault.kind is FaultKind.LOST_ANSWER:
            return await break_connection(request)
        return JSONResponse(answer)

    async def run(self, bot: Bot, method: str, params: Params) -> dict[str, Any]:
        """Run a method by name and return the whole answer. Raises BotApiError, 404 for an unknown method."""
        if (known := METHODS.get(method.lower())) is None:
            raise BotApiError(404, "Not Found")
        result = await known(Call(world=self._world, bot=bot, params=params))
        if isinstance(result, Said):
            return {"ok": True, "result": result.result, "description": result.description}
        return {"ok": True, "result": result}

    async def download(self, request: Request) -> Response:
        """Answer a download of a file by the path that getFile told."""
        try:
            bot = self._bot(request.path_params["token"])
        except BotApiError as error:
            return _refusal(error)
        for stored in bot.files.values():
            if stored.path == request.path_params["path"]:
                return Response(stored.content, media_type="application/octet-stream")
        return _refusal(BotApiError(404, "Not Found"))

    def _bot(self, token: str) -> Bot:
        if (bot := self._world.bots.get(token)) is not None:
            return bot
        raise BotApiError(401, "Unauthorized") if TOKEN_SHAPE.match(token) else BotApiError(404, "Not Found")


def _refusal(error: BotApiError) -> JSONResponse:
    headers = {}
    if error.parameters and "retry_after" in error.parameters:
        headers["Retry-After"] = str(error.parameters["retry_after"])
    return JSONResponse(error.body(), status_code=error.code, headers=headers)
