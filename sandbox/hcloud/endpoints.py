"""The API over HTTP, with the trouble that was ordered."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.frame.breaking import break_connection
from sandbox.frame.waiting import Changes
from sandbox.hcloud.api import Api, Asked
from sandbox.hcloud.model.faults import FaultKind
from sandbox.hcloud.model.world import World


class Endpoints:
    """Answers `/v1/...`."""

    def __init__(self, world: World, api: Api, changes: Changes) -> None:
        self._world = world
        self._api = api
        self._changes = changes

    async def call(self, request: Request) -> Response:
        """Answer one request."""
        asked = await _read(request)
        entry = self._world.journal.open(
            at=self._world.now,
            method=asked.method,
            path=asked.path,
            query=request.url.query,
            user_agent=request.headers.get("User-Agent", ""),
        )
        fault = self._world.faults.take_request(f"{asked.method} {asked.path}")
        if fault is not None and fault.kind is FaultKind.RESET:
            return await break_connection(request)
        if fault is not None and fault.kind is FaultKind.GARBAGE:
            entry.status = 502
            return Response("<html>Bad Gateway</html>", status_code=502, media_type="text/html")
        if fault is not None and fault.kind is FaultKind.SLOW:
            await self._changes.pause(fault.seconds)
        refusal = fault.error() if fault is not None and fault.kind is FaultKind.ERROR else None
        told = self._api.answer(asked, entry, refusal)
        if fault is not None and fault.kind is FaultKind.LOST_ANSWER:
            entry.status = 0
            return await break_connection(request)
        if told.body is None:
            return Response(status_code=told.status, headers=dict(told.headers))
        return JSONResponse(told.body, status_code=told.status, headers=dict(told.headers))


async def _read(request: Request) -> Asked:
    query: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        query.setdefault(name, []).append(value)
    return Asked(
        method=request.method,
        path="/" + request.path_params["path"].strip("/"),
        authorization=request.headers.get("Authorization", ""),
        query=query,
        content=await request.body(),
    )
