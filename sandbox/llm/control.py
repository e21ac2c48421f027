"""Control of the stand-in: faults, scripted answers, speed, and the record of requests."""

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.frame.control import DONE, control_routes, fault_rows, flag, news
from sandbox.frame.strict import Strict
from sandbox.frame.values import Json
from sandbox.llm.endpoints import ModelApi
from sandbox.llm.faults import Faults
from sandbox.llm.journal import Journal
from sandbox.llm.script import Script, ScriptedAnswer


class Latency(Strict):
    """POST /_control/latency, in milliseconds."""

    first_token_ms: float = Field(default=0.0, ge=0)
    chunk_ms: float = Field(default=0.0, ge=0)


class ScriptRequest(Strict):
    """POST /_control/script."""

    answers: list[ScriptedAnswer]


class Control:
    """Endpoints below /_control."""

    def __init__(self, *, api: ModelApi, faults: Faults, script: Script, journal: Journal) -> None:
        self._api = api
        self._faults = faults
        self._script = script
        self._journal = journal

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("GET", "requests", self._requests),
            ("DELETE", "requests", self._clear_requests),
            *fault_rows(self._faults),
            ("POST", "script", self._add_script),
            ("DELETE", "script", self._clear_script),
            ("POST", "latency", self._set_latency),
        ]
        return control_routes(table, _refusal)

    async def _requests(self, request: Request) -> Json:
        """Requests after number `after`; waits up to `wait` seconds for one; `done=1` counts only ended ones."""
        journal, done = self._journal, flag(request, "done")
        last, found = await news(
            request, journal.changes, lambda after: journal.since(after, done=done), lambda entry: entry.number
        )
        return {"last": last, "requests": [entry.as_json() for entry in found]}

    async def _clear_requests(self, _: Request) -> Json:
        self._journal.clear()
        return DONE

    async def _add_script(self, request: Request) -> Json:
        """Append answers."""
        self._script.add(ScriptRequest.model_validate_json(await request.body()).answers)
        return DONE

    async def _clear_script(self, _: Request) -> Json:
        self._script.clear()
        return DONE

    async def _set_latency(self, request: Request) -> Json:
        """Set the speed from now on."""
        wish = Latency.model_validate_json(await request.body())
        self._api.first_token_ms, self._api.chunk_ms = wish.first_token_ms, wish.chunk_ms
        return DONE


def _refusal(error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=400)
