"""The tests' side over HTTP: speed, trouble, limits, what is left, what was asked, and what others do in a project."""

import json
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.frame.control import DONE, Action, control_routes, fault_rows, json_body
from sandbox.frame.values import Json
from sandbox.hcloud.api import Api, Asked
from sandbox.hcloud.model.actions import finish_all, settle
from sandbox.hcloud.model.config import Access
from sandbox.hcloud.model.effects import release
from sandbox.hcloud.model.journal import Journal
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.model.world import World

# How the controllers in a cluster mark what they make, so that a sweep can find it.
_FOREIGN: Final = {
    "load_balancers": {"hcloud-ccm/service-uid": "00000000-0000-4000-8000-000000000001"},
    "volumes": {"pvc-name": "data", "pvc-namespace": "default", "managed-by": "csi-driver"},
    "servers": {"hcloud/node-group": "autoscaled"},
}


class Control:
    """Endpoints below /_control. Bodies may name a project by `token`; the first one is meant otherwise."""

    def __init__(self, world: World, api: Api) -> None:
        self._world = world
        self._api = api

    def routes(self) -> list[Route]:
        """Return the routes."""
        table: list[tuple[str, str, Callable[[Request, Json], Json]]] = [
            ("POST", "speed", self._speed),
            ("GET", "faults", self._list_faults),
            ("POST", "quotas", self._quotas),
            ("POST", "rate_limit", self._rate_limit),
            ("POST", "availability", self._availability),
            ("POST", "owned_ips", self._owned_ips),
            ("POST", "projects", self._admit),
            ("GET", "objects", self._objects),
            ("GET", "servers/{which}", self._server),
            ("GET", "requests", self._requests),
            ("DELETE", "requests", self._clear_requests),
            ("POST", "foreign/{kind}", self._foreign),
            ("POST", "change/{kind}/{id:int}", self._change),
            ("POST", "remove/{kind}/{id:int}", self._remove),
            ("POST", "settle", self._settle),
            ("POST", "reset", self._reset),
        ]
        rows = [(method, path, _with_body(act)) for method, path, act in table]
        return control_routes([*fault_rows(self._world.faults), *rows], _refusal)

    def _project(self, request: Request, wish: Json) -> Project:
        project = self._world.project_of(str(wish.get("token", request.query_params.get("token", ""))))
        settle(project, self._world.now)
        return project

    def _speed(self, _: Request, wish: Json) -> Json:
        """`{"seconds": 0.05, "commands": {"create_server": 2}}`; commands not named keep the general one."""
        speed = self._world.speed
        speed.default = float(wish.get("seconds", speed.default))
        speed.by_command = {name: float(seconds) for name, seconds in wish.get("commands", {}).items()}
        return {"seconds": speed.default, "commands": speed.by_command}

    def _list_faults(self, _: Request, __: Json) -> Json:
        return {"faults": self._world.faults.listed()}

    def _quotas(self, request: Request, wish: Json) -> Json:
        """`{"quotas": {"servers": 3}}`; answers all of them."""
        project = self._project(request, wish)
        if unknown := set(wish.get("quotas", {})) - set(project.quotas):
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(project.quotas)}.")
        project.quotas |= {name: int(limit) for name, limit in wish.get("quotas", {}).items()}
        return {"quotas": project.quotas}

    def _rate_limit(self, request: Request, wish: Json) -> Json:
        """`{"remaining": 0, "limit": 3600, "refill_per_second": 1}`, each of them optional."""
        rate = self._project(request, wish).rate
        rate.set(
            self._world.now, limit=wish.get("limit"), left=wish.get("remaining"), refill=wish.get("refill_per_second")
        )
        return rate.headers(self._world.now)

    def _availability(self, _: Request, wish: Json) -> Json:
        """`{"server_type": "cx33", "location": "fsn1", "available": false}`; an absent one of the two means all."""
        place = (str(wish.get("server_type", "")), str(wish.get("location", "")))
        if place == ("", ""):
            raise ValueError("Name server_type, location or both.")
        (self._world.sold_out.discard if wish.get("available", False) else self._world.sold_out.add)(place)
        return {"sold_out": sorted(self._world.sold_out)}

    def _owned_ips(self, _: Request, wish: Json) -> Json:
        """`{"ips": ["192.0.2.1"]}`: machines outside of the cloud that belong to the owner, for load balancers."""
        self._world.owned_ips |= {str(ip) for ip in wish.get("ips", [])}
        return {"ips": sorted(self._world.owned_ips)}

    def _admit(self, _: Request, wish: Json) -> Json:
        """`{"token": "...", "project": "other", "read_only": false}`."""
        access = Access(**wish)
        return {"project": self._world.admit(access).name}

    def _objects(self, request: Request, wish: Json) -> Json:
        """Everything that is left in a project: kind, id, name, labels."""
        project = self._project(request, wish)
        found = {kind: [_brief(row) for row in rows.values()] for kind, rows in project.kinds.items() if rows}
        total = sum(len(rows) for kind, rows in found.items() if kind != "rrsets")
        return {"objects": found, "count": total, "running_actions": sorted(project.running)}

    def _server(self, request: Request, wish: Json) -> Json:
        """A server by id or name with what the API never shows: user data, keys, root password."""
        project, which = self._project(request, wish), request.path_params["which"]
        row = project.find("servers", which) or project.named("servers", which)
        if row is None:
            raise LookupError(f"There is no server {which!r}.")
        return {"server": row}

    def _requests(self, request: Request, _: Json) -> Json:
        """Requests after number `after`, of a `method`, whose path contains `path`."""
        query, journal = request.query_params, self._world.journal
        found = journal.since(int(query.get("after", "0")), method=query.get("method", ""), path=query.get("path", ""))
        return {"last": journal.count, "requests": [entry.as_json() for entry in found]}

    def _clear_requests(self, _: Request, __: Json) -> Json:
        self._world.journal.clear()
        return {}

    def _foreign(self, request: Request, wish: Json) -> Json:
        """Make something as a controller in a cluster would; `body` is the API's own, labels are the controller's."""
        kind = request.path_params["kind"]
        if kind not in _FOREIGN:
            raise ValueError(f"kind must be one of {', '.join(_FOREIGN)}.")
        token = wish.get("token") or next(iter(self._world.accesses))
        body = wish.get("body", {})
        body["labels"] = {**_FOREIGN[kind], **body.get("labels", {})}
        content = json.dumps(body).encode()
        asked = Asked(method="POST", path=f"/{kind}", authorization=f"Bearer {token}", query={}, content=content)
        entry = Journal().open(at=self._world.now, method="POST", path=f"/{kind}", query="", user_agent="")
        told = self._api.answer(asked, entry)
        if told.body is None or "error" in told.body:
            raise ValueError(f"The API refused: {told.body}")
        self._finish(token, [told.body["action"], *told.body.get("next_actions", [])])
        return told.body

    def _finish(self, token: str, actions: list[Json]) -> None:
        """End actions at once: what controllers made is there already."""
        project = self._world.project_of(token)
        for one in actions:
            project.actions[one["id"]]["seconds"] = 0.0
        settle(project, self._world.now)

    def _row(self, request: Request, wish: Json) -> tuple[Project, str, Json]:
        project, kind = self._project(request, wish), request.path_params["kind"]
        row = project.find(kind, request.path_params["id"])
        if row is None:
            raise LookupError(f"There is no such {kind}: {request.path_params['id']}.")
        return project, kind, row

    def _change(self, request: Request, wish: Json) -> Json:
        """Somebody changes a resource by hand: `{"values": {"labels": {}}}` are set as they are."""
        _, _, row = self._row(request, wish)
        if unknown := set(wish.get("values", {})) - set(row):
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(row)}.")
        row.update(wish.get("values", {}))
        return {"row": row}

    def _remove(self, request: Request, wish: Json) -> Json:
        """Somebody deletes a resource by hand, at once."""
        project, kind, row = self._row(request, wish)
        release(project, kind, row["id"])
        return {}

    def _settle(self, request: Request, wish: Json) -> Json:
        """End all running actions now, also those that never would."""
        finish_all(self._project(request, wish), self._world.now)
        return {}

    def _reset(self, request: Request, wish: Json) -> Json:
        """Forget everything in a project, and all orders."""
        self._world.clear(self._project(request, wish))
        self._world.faults.clear()
        self._world.sold_out.clear()
        return {}


def _brief(row: Json) -> Json:
    return {"id": row["id"], "name": row.get("name"), "labels": row.get("labels", {})}


def _with_body(act: Callable[[Request, Json], Json]) -> Action:
    async def action(request: Request) -> Json:
        return {**DONE, **act(request, await json_body(request))}

    return action


def _refusal(error: Exception) -> JSONResponse:
    return JSONResponse({"ok": False, "description": str(error)}, status_code=400)
