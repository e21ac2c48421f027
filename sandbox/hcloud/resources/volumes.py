"""Volumes: at most 16 on a server, in the server's location, only ever growing."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.locations import LOCATIONS
from sandbox.hcloud.model.effects import change
from sandbox.hcloud.model.errors import ApiError, invalid, over_quota
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row, protection_route
from sandbox.hcloud.resources.primary_ips import wished_location

MOST_PER_SERVER: Final = 16
SMALLEST: Final = 10  # GB
LARGEST: Final = 10_240
_FORMATS: Final = ("ext4", "xfs")


def too_many() -> ApiError:
    """Return the refusal of a seventeenth volume. Code as the CSI driver knows it."""
    return ApiError("limit_exceeded_error", f"at most {MOST_PER_SERVER} volumes can be attached to a server")


def check_attachable(call: Call, row: Json, location: str) -> None:
    """Raise unless a volume is free and in this location."""
    call.check_free("volumes", row)
    if row["server"] is not None:
        raise ApiError("volume_already_attached", f"volume with ID '{row['id']}' is already attached to a server")
    if row["location"] != location:
        raise invalid("server", f"volume is in {row['location']}, the server in {location}")


def _check_room(call: Call, server: Json) -> None:
    if len([row for row in call.project.rows("volumes") if row["server"] == server["id"]]) >= MOST_PER_SERVER:
        raise too_many()


def show(_: Call, row: Json) -> Json:
    """Return a volume with its whole location."""
    return {**row, "location": LOCATIONS[row["location"]]}


def _create(call: Call) -> Answer:
    body, name = call.body, fields.text(call.body, "name")
    size = fields.integer(body, "size", least=SMALLEST, most=LARGEST)
    file_system = fields.choice(body, "format", _FORMATS) if body.get("format") is not None else None
    server = None if body.get("server") is None else call.project.get("servers", body["server"])
    location = wished_location(body)
    if (server is None) == (not location):
        raise invalid("location", "exactly one of location and server is needed")
    automount = fields.boolean(body, "automount", default=False)
    if automount and (server is None or file_system is None):
        raise invalid("automount", "needs a server and a format")
    if server is not None:
        call.check_free("servers", server)
        _check_room(call, server)
        location = server["location"]
    row = new_row(call, "volumes", name=name, size=size, location=location, server=None, format=file_system)
    _check_quota(call, size)
    call.project.check_quota("volumes")
    row |= {"status": "creating", "protection": {"delete": False}, "linux_device": ""}
    call.project.add("volumes", row)
    row["linux_device"] = f"/dev/disk/by-id/scsi-0HC_Volume_{row['id']}"
    action, following = _actions(call, row, server)
    return KIND.answer(call, row, 201, action=action, next_actions=following)


def _actions(call: Call, row: Json, server: Json | None) -> tuple[Json, list[Json]]:
    ready = [change("volumes", row["id"], status="available")]
    if server is None:
        return call.start("create_volume", [("volumes", row["id"])], effects=ready), []
    targets = [("volumes", row["id"]), ("servers", server["id"])]
    action = call.start("create_volume", targets, effects=ready)
    attached = [change("volumes", row["id"], server=server["id"])]
    return action, [call.start("attach_volume", targets, effects=attached, after=action)]


def _check_quota(call: Call, more: int) -> None:
    used = sum(row["size"] for row in call.project.rows("volumes"))
    if used + more > call.project.quotas["volume_gigabytes"]:
        raise over_quota("volume_size_limit")


def _delete(call: Call) -> Answer:
    row = call.deletable("volumes")
    if row["server"] is not None:
        raise ApiError("resource_in_use", f"volume with ID '{row['id']}' is still attached to a server")
    return call.remove("volumes", row)


def _attach(call: Call) -> Answer:
    row = call.target("volumes")
    server = call.project.get("servers", call.body.get("server"))
    fields.boolean(call.body, "automount", default=False)
    check_attachable(call, row, server["location"])
    call.check_free("servers", server)
    _check_room(call, server)
    targets = [("volumes", row["id"]), ("servers", server["id"])]
    return action_answer(
        call.start("attach_volume", targets, effects=[change("volumes", row["id"], server=server["id"])])
    )


def _detach(call: Call) -> Answer:
    row = call.free("volumes")
    if row["server"] is None:
        raise ApiError("volume_not_attached", f"volume with ID '{row['id']}' is not attached", status=422)
    server = call.project.get("servers", row["server"])
    call.check_free("servers", server)
    targets = [("volumes", row["id"]), ("servers", server["id"])]
    return action_answer(call.start("detach_volume", targets, effects=[change("volumes", row["id"], server=None)]))


def _resize(call: Call) -> Answer:
    row = call.free("volumes")
    size = fields.integer(call.body, "size", least=SMALLEST, most=LARGEST)
    if size <= row["size"]:
        raise invalid("size", f"must be larger than the present {row['size']} GB: a volume cannot shrink")
    _check_quota(call, size - row["size"])
    return action_answer(
        call.start("resize_volume", [("volumes", row["id"])], effects=[change("volumes", row["id"], size=size)])
    )


KIND: Final = Kind(name="volumes", key="volume", show=show, filters=("name", "status"))
_ACTION: Final = "/volumes/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND),
    ("POST", "/volumes", _create),
    ("DELETE", "/volumes/{id}", _delete),
    ("POST", f"{_ACTION}/attach", _attach),
    ("POST", f"{_ACTION}/detach", _detach),
    ("POST", f"{_ACTION}/resize", _resize),
    protection_route("volumes"),
]
