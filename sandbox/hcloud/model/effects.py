"""What an action does when it ends, as data: `{"do": name, ...}`, so that it survives a restart with its action."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.project import Project


def change(kind: str, number: int, **values: Any) -> Json:
    """Return the effect that sets fields of a row."""
    return {"do": "change", "kind": kind, "id": number, "values": values}


def delete(kind: str, number: int) -> Json:
    """Return the effect that removes a row and lets everything go that hangs on it."""
    return {"do": "delete", "kind": kind, "id": number}


def apply(project: Project, effect: Json) -> None:
    """Do it; a row that is gone meanwhile is left gone."""
    if effect["do"] == "change":
        if (row := project.find(effect["kind"], effect["id"])) is not None:
            row |= effect["values"]
        return
    release(project, effect["kind"], effect["id"])


def release(project: Project, kind: str, number: int) -> None:
    """Remove a row after letting go what hangs on it."""
    if (hanging := _RELEASES.get(kind)) is not None:
        hanging(project, number)
    project.remove(kind, number)


def _release_server(project: Project, number: int) -> None:
    """As the original: automatic primary IPs and backups go with the server, everything else is only detached."""
    for row in project.rows("volumes"):
        if row["server"] == number:
            row["server"] = None
    for row in project.rows("floating_ips"):
        if row["server"] == number:
            row["server"] = None
    _release_addresses(project, "server", number)
    for row in project.rows("images"):
        if row["bound_to"] == number:
            project.remove("images", row["id"])
    for row in project.rows("load_balancers"):
        row["targets"] = [one for one in row["targets"] if one.get("server", {}).get("id") != number]
    for row in project.rows("firewalls"):
        row["applied_to"] = [one for one in row["applied_to"] if one.get("server", {}).get("id") != number]


def _release_addresses(project: Project, kind: str, number: int) -> None:
    for row in project.rows("primary_ips"):
        if (row["assignee_type"], row["assignee_id"]) != (kind, number):
            continue
        if row["auto_delete"]:
            project.remove("primary_ips", row["id"])
        else:
            row["assignee_id"] = None


def _release_load_balancer(project: Project, number: int) -> None:
    _release_addresses(project, "load_balancer", number)


def _release_zone(project: Project, number: int) -> None:
    for row in project.rows("rrsets"):
        if row["zone"] == number:
            project.remove("rrsets", row["id"])


_RELEASES: Final[Mapping[str, Callable[[Project, int], None]]] = {
    "servers": _release_server,
    "load_balancers": _release_load_balancer,
    "zones": _release_zone,
}
