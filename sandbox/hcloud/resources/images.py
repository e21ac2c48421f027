"""Images: those of the system, which everybody sees, and snapshots and backups of the project's servers."""

from collections.abc import Iterable
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.catalogue.images import SYSTEM_IMAGES
from sandbox.hcloud.model.errors import ApiError, invalid, not_found
from sandbox.hcloud.model.moments import iso
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.requests.labels import checked_labels
from sandbox.hcloud.resources.common import Kind, action_routes, listed, protection_route

MOST_BACKUPS: Final = 7  # docs.hetzner.com/cloud/servers/backups-snapshots/overview
_GIGABYTE_SHARE: Final = 0.3  # how full a disk is taken to be


def all_images(project: Project) -> Iterable[Json]:
    """Return the system's images and the project's own."""
    return [*SYSTEM_IMAGES.values(), *project.rows("images")]


def find_image(project: Project, id_or_name: object, architecture: str) -> Json:
    """Return an image for a server of this architecture; a name means the system image. Raises invalid_input."""
    found = project.find("images", id_or_name)
    if found is None and str(id_or_name).isdigit():
        found = SYSTEM_IMAGES.get(int(str(id_or_name)))
    if found is None:
        named = [one for one in SYSTEM_IMAGES.values() if one["name"] == id_or_name]
        found = next((one for one in named if one["architecture"] == architecture), None)
    if found is None:
        raise invalid("image", f"unknown image {id_or_name!r}")
    if found["architecture"] != architecture:
        raise invalid("image", f"image is for {found['architecture']}, the server type for {architecture}")
    if found["status"] != "available":
        raise ApiError("resource_unavailable", f"image with ID '{found['id']}' is not available yet")
    return found


def new_image(call: Call, server: Json, *, image_type: str, description: str, labels: object) -> Json:
    """Keep a new image of a server, still in the making; the oldest of too many backups goes."""
    snapshots = [row for row in call.project.rows("images") if row["type"] == "snapshot"]
    if image_type == "snapshot":
        call.project.check_quota("snapshots", used=len(snapshots))
    disk = server["primary_disk_size"]
    source = server["image"] or {}
    row = {
        "id": 0,
        "type": image_type,
        "status": "creating",
        "name": None,
        "description": description or f"{image_type} of {server['name']}",
        "image_size": None,
        "disk_size": disk,
        "full_size": round(disk * _GIGABYTE_SHARE, 2),
        "created": iso(call.now),
        "created_from": {"id": server["id"], "name": server["name"]},
        "bound_to": server["id"] if image_type == "backup" else None,
        "os_flavor": source.get("os_flavor", "unknown"),
        "os_version": source.get("os_version"),
        "architecture": source.get("architecture", "x86"),
        "rapid_deploy": False,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": checked_labels(labels),
    }
    call.project.add("images", row)
    backups = [one["id"] for one in call.project.rows("images") if one["bound_to"] == server["id"]]
    for old in backups[:-MOST_BACKUPS]:
        call.project.remove("images", old)
    return row


def show(_: Call, row: Json) -> Json:
    """Return an image as the API shows it."""
    return {key: value for key, value in row.items() if key != "full_size"}


def _list(call: Call) -> Answer:
    kept = all_images(call.project)
    if call.first("include_deprecated").lower() not in {"1", "true"}:
        kept = [row for row in kept if not row["deprecated"]]
    shown = [show(call, row) for row in kept]
    names = ("name", "type", "status", "architecture", "bound_to")
    return listed(call, "images", shown, sorts=("id", "name", "created"), filters=names)


def _read(call: Call) -> Answer:
    number = call.path["id"]
    row = call.project.find("images", number) or SYSTEM_IMAGES.get(int(number) if number.isdigit() else 0)
    if row is None:
        raise not_found("image", number)
    return KIND.answer(call, row)


def _own(call: Call) -> Json:
    if call.path["id"].isdigit() and int(call.path["id"]) in SYSTEM_IMAGES:
        raise ApiError("forbidden", "system images cannot be changed")
    return call.target("images")


def _update(call: Call) -> Answer:
    row = _own(call)
    if call.body.get("description") is not None:
        row["description"] = fields.text(call.body, "description")
    if call.body.get("type") is not None:
        fields.choice(call.body, "type", ("snapshot",))
        row |= {"type": "snapshot", "bound_to": None}
    if call.body.get("labels") is not None:
        row["labels"] = checked_labels(call.body["labels"])
    return KIND.answer(call, row)


def _delete(call: Call) -> Answer:
    row = _own(call)
    call.check_deletable("images", row)
    return call.remove("images", row)


KIND: Final = Kind(name="images", key="image", show=show)
ROUTES: Final[list[Route]] = [
    ("GET", "/images", _list),
    ("GET", "/images/{id}", _read),
    ("PUT", "/images/{id}", _update),
    ("DELETE", "/images/{id}", _delete),
    *action_routes("images"),
    protection_route("images"),
]
