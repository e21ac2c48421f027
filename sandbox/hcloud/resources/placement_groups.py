"""Placement groups: `spread` keeps at most ten servers on different hosts."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import ApiError
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.resources.common import Kind, kind_routes, new_row

MOST_SERVERS: Final = 10  # docs.hetzner.com/cloud/placement-groups/overview


def members(project: Project, number: int) -> list[int]:
    """Return the ids of the servers in a group."""
    return [row["id"] for row in project.rows("servers") if row["placement_group"] == number]


def check_room(project: Project, number: int) -> None:
    """Raise placement_error when a group is full."""
    if len(members(project, number)) >= MOST_SERVERS:
        raise ApiError("placement_error", f"a spread placement group holds at most {MOST_SERVERS} servers")


def show(call: Call, row: Json) -> Json:
    """Return a group with its servers."""
    return {**row, "servers": members(call.project, row["id"])}


def _create(call: Call) -> Answer:
    group_type = fields.choice(call.body, "type", ("spread",))
    row = new_row(call, "placement_groups", name=fields.text(call.body, "name"), type=group_type)
    call.project.check_quota("placement_groups")
    return KIND.answer(call, call.project.add("placement_groups", row), 201, action=None)


def _delete(call: Call) -> Answer:
    row = call.target("placement_groups")
    if members(call.project, row["id"]):
        raise ApiError("resource_in_use", f"placement group with ID '{row['id']}' is still in use")
    return call.remove("placement_groups", row)


KIND: Final = Kind(name="placement_groups", key="placement_group", show=show, filters=("name", "type"))
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, with_actions=False),
    ("POST", "/placement_groups", _create),
    ("DELETE", "/placement_groups/{id}", _delete),
]
