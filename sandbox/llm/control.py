"""Control of the stand-in: faults, scripted answers, speed, and the record of requests."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.llm.endpoints import ModelApi
from sandbox.llm.faults import Fault, FaultList
from sandbox.llm.journal import Journal
from sandbox.llm.script import Script, ScriptedAnswer

LONGEST_WAIT = 120.0


class Latency(BaseModel):
    """POST /_control/latency, in milliseconds."""

    model_config = ConfigDict(extra="forbid")
    first_token_ms: float = Field(default=0.0, ge=0)
    chunk_ms: float = Field(default=0.0, ge=0)


class ScriptRequest(BaseModel):
    """POST /_control/script."""

    model_config = ConfigDict(extra="forbid")
    answers: list[ScriptedAnswer]


class Control:
    """Endpoints below /_control."""

    def __init__(self, *, api: ModelApi, faults: FaultList, script: Script, journal: Journal) -> None:
        self._api = api
        self._faults = faults
        self._script = script
        self._journal = journal

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_control/requests", self.requests),
            Route("/_control/requests", self.forget, methods=["DELETE"]),
            Route("/_control/faults", self.add_fault, methods=["POST"]),
            Route("/_control/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_control/script", self.add_script, methods=["POST"]),
            Route("/_control/script", self.clear_script, methods=["DELETE"]),
            Route("/_control/latency", self.set_latency, methods=["POST"]),
        ]

    async def requests(self, request: Request) -> JSONResponse:
        """Requests after number `after`; waits up to `wait` seconds for one; `done=1` counts only ended ones."""
        try:
            after = int(request.query_params.get("after", "0"))
            wait = min(float(request.query_params.get("wait", "0")), LONGEST_WAIT)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        done = request.query_params.get("done", "") in {"1", "true"}
        found = await self._journal.changes.until(lambda: self._journal.since(after, done=done) or None, wait) or []
        last = found[-1].number if found else after
        return JSONResponse({"last": last, "requests": [received.wire() for received in found]})

    async def forget(self, request: Request) -> JSONResponse:
        """Forget the record."""
        del request
        self._journal.clear()
        return JSONResponse({"ok": True})

    async def add_fault(self, request: Request) -> JSONResponse:
        """Order trouble."""
        return await _taken(request, Fault, self._faults.add)

    async def clear_faults(self, request: Request) -> JSONResponse:
        """Take back all orders."""
        del request
        self._faults.clear()
        return JSONResponse({"ok": True})

    async def add_script(self, request: Request) -> JSONResponse:
        """Append answers."""
        return await _taken(request, ScriptRequest, lambda wish: self._script.add(wish.answers))

    async def clear_script(self, request: Request) -> JSONResponse:
        """Forget answers."""
        del request
        self._script.clear()
        return JSONResponse({"ok": True})

    async def set_latency(self, request: Request) -> JSONResponse:
        """Set the speed from now on."""

        def use(wish: Latency) -> None:
            self._api.first_token_ms, self._api.chunk_ms = wish.first_token_ms, wish.chunk_ms

        return await _taken(request, Latency, use)


async def _taken(request: Request, model: Any, use: Callable[[Any], None]) -> JSONResponse:
    try:
        wish = TypeAdapter(model).validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    use(wish)
    return JSONResponse({"ok": True})
