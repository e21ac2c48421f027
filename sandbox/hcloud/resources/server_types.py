"""Server types with what is sold out just now, and the other lists that belong to everybody."""

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.images import ISOS
from sandbox.hcloud.catalogue.load_balancer_types import LOAD_BALANCER_TYPES
from sandbox.hcloud.catalogue.locations import LOCATIONS, find
from sandbox.hcloud.catalogue.pricing import pricing
from sandbox.hcloud.catalogue.server_types import SERVER_TYPES
from sandbox.hcloud.model.errors import ApiError, not_found
from sandbox.hcloud.requests.call import Answer, Call, Handler, Route
from sandbox.hcloud.resources.common import listed

Show = Callable[[Call, Json], Json]


def is_available(call: Call, name: str, location: str) -> bool:
    """Tell whether servers of a type can be made in a location just now."""
    return not call.world.sold_out & {(name, location), (name, ""), ("", location)}


def show_type(call: Call, row: Json) -> Json:
    """Return a server type; its locations say where it is sold out."""
    places = [{**one, "available": is_available(call, row["name"], one["name"])} for one in row["locations"]]
    return {**row, "locations": places}


def _plain(_: Call, row: Json) -> Json:
    return row


def _catalogue(kind: str, key: str, rows: Mapping[str, Json], show: Show = _plain) -> list[Route]:
    def list_all(call: Call) -> Answer:
        shown = [show(call, row) for row in rows.values()]
        return listed(call, kind, shown, sorts=("id", "name"), filters=("name", "architecture"))

    def read(call: Call) -> Answer:
        if (row := find(dict(rows), call.path["id"])) is None or not call.path["id"].isdigit():
            raise not_found(key.replace("_", " "), call.path["id"])
        return Answer(body={key: show(call, row)})

    handlers: list[tuple[str, Handler]] = [(f"/{kind}", list_all), (f"/{kind}/{{id}}", read)]
    return [("GET", path, handler) for path, handler in handlers]


def _pricing(call: Call) -> Answer:
    del call
    return Answer(body={"pricing": pricing()})


def _gone(call: Call) -> Answer:
    # Since 2026-10-01 (https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated).
    del call
    raise ApiError("deprecated_api_endpoint", "the API endpoint was removed")


ROUTES: Final[list[Route]] = [
    *_catalogue("server_types", "server_type", SERVER_TYPES, show_type),
    *_catalogue("load_balancer_types", "load_balancer_type", LOAD_BALANCER_TYPES),
    *_catalogue("locations", "location", LOCATIONS),
    ("GET", "/datacenters", _gone),
    ("GET", "/datacenters/{id}", _gone),
    *_catalogue("isos", "iso", ISOS),
    ("GET", "/pricing", _pricing),
]
