"""The API without HTTP: one request in, one answer out. Everything here happens at once, so requests never mix."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.frame.values import Json
from sandbox.hcloud.model.actions import settle
from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.model.journal import Entry
from sandbox.hcloud.model.world import World
from sandbox.hcloud.requests.call import Answer, Call
from sandbox.hcloud.router import Router
from sandbox.hcloud.routes import ROUTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request as it came; `path` begins below `/v1`."""

    method: str
    path: str
    authorization: str = ""
    query: Mapping[str, Sequence[str]]
    content: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One answer: body None is an empty one."""

    status: int
    body: Json | None
    headers: Mapping[str, str]


class Api:
    """Answers requests: admission, limit of requests, due actions, then the handler of the path."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._router = Router(ROUTES)

    def answer(self, asked: Asked, entry: Entry, refusal: ApiError | None = None) -> Told:
        """Return the answer and note it in the journal. `refusal` is an ordered one, told after admission."""
        headers = {"X-Correlation-Id": f"{entry.number:016x}"}
        try:
            answer = self._admitted(asked, entry, headers, refusal)
        except ApiError as error:
            entry.status, entry.code = error.status, error.code
            return Told(status=error.status, body=error.body(), headers=headers)
        entry.status = answer.status
        return Told(status=answer.status, body=answer.body, headers=headers)

    def _admitted(self, asked: Asked, entry: Entry, headers: dict[str, str], refusal: ApiError | None) -> Answer:
        world = self._world
        project = world.enter(asked.authorization, asked.method)
        entry.project = project.name
        now = world.now
        try:
            project.rate.take(now)
        finally:
            headers.update(project.rate.headers(now))
        settle(project, now)
        if refusal is not None:
            raise refusal
        handler, variables = self._router.find(asked.method, asked.path)
        entry.body = body = _body(asked)
        if asked.method != "GET":
            world.changes += 1
        return handler(Call(world=world, project=project, path=variables, query=asked.query, body=body))


def _body(asked: Asked) -> Json:
    if not asked.content or asked.method == "GET":
        return {}
    try:
        body = json.loads(asked.content)
    except ValueError as error:
        raise ApiError("json_error", f"invalid JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError("json_error", "the body must be a JSON object")
    return body
