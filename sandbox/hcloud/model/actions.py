"""Actions: what takes time. Each is a row in its project, begins, shows progress by the clock, and ends with its effects.

`settle` is called before every request: it ends what is due, in the order of time, so nothing runs in the background.
An action with `after` begins when that one has succeeded, and fails with it.
"""

from collections.abc import Sequence
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.effects import apply
from sandbox.hcloud.model.moments import iso, iso_or_none
from sandbox.hcloud.model.project import Project, singular

_TYPES: Final = {"ssh_keys": "ssh_key", "primary_ips": "primary_ip", "floating_ips": "floating_ip"}
Target = tuple[str, int]


def new_action(
    project: Project,
    command: str,
    targets: Sequence[Target],
    *,
    now: float,
    seconds: float | None,
    error: Json | None = None,
    effects: Sequence[Json] = (),
    undo: Sequence[Json] = (),
    locks: Sequence[Target] | None = None,
    after: int | None = None,
) -> Json:
    """Begin an action and return its row. `seconds` None means that it never ends; `error` lets it fail at its end.

    `effects` happen at success, `undo` at failure. It holds `locks` (its targets unless given) until it ends.
    """
    row: Json = {
        "id": project.ids.next("actions"),
        "command": command,
        "status": "running",
        "started": now,
        "finished": None,
        "resources": [[kind, number] for kind, number in targets],
        "locks": [[kind, number] for kind, number in (targets if locks is None else locks)],
        "error": None,
        "seconds": seconds,
        "will_fail": error,
        "effects": list(effects),
        "undo": list(undo),
        "after": after,
    }
    project.actions[row["id"]] = row
    project.running.add(row["id"])
    settle(project, now)
    return row


def settle(project: Project, now: float) -> None:
    """End every action that is due."""
    while due := [(at, number) for number in project.running if (at := _ends_at(project, number)) <= now]:
        at, number = min(due)
        _finish(project, project.actions[number], at)


def finish_all(project: Project, now: float) -> None:
    """End everything that runs at once, also what would never end."""
    for number in sorted(project.running):
        project.actions[number]["seconds"] = 0.0
    settle(project, now + 1e-6)


def wire(project: Project, row: Json, now: float) -> Json:
    """Return an action as the API shows it."""
    resources = [
        {"id": number, "type": _TYPES.get(kind, singular(kind).replace(" ", "_"))} for kind, number in row["resources"]
    ]
    return {
        "id": row["id"],
        "command": row["command"],
        "status": row["status"],
        "progress": _progress(project, row, now),
        "started": iso(row["started"]),
        "finished": iso_or_none(row["finished"]),
        "resources": resources,
        "error": row["error"],
    }


def _begins_at(project: Project, row: Json) -> float:
    if row["after"] is None:
        return float(row["started"])
    before = project.actions[row["after"]]
    return float("inf") if before["finished"] is None else float(before["finished"])


def _ends_at(project: Project, number: int) -> float:
    row = project.actions[number]
    begins = _begins_at(project, row)
    if row["after"] is not None and project.actions[row["after"]]["status"] == "error":
        return begins
    return float("inf") if row["seconds"] is None else max(begins + row["seconds"], row["started"])


def _finish(project: Project, row: Json, at: float) -> None:
    before = project.actions[row["after"]] if row["after"] is not None else None
    error = row["will_fail"]
    if before is not None and before["status"] == "error":
        error = {"code": "action_failed", "message": f"action {before['command']} failed before"}
    row |= {"status": "error" if error else "success", "error": error, "finished": at}
    project.running.discard(row["id"])
    for effect in row["undo"] if error else row["effects"]:
        apply(project, effect)


def _progress(project: Project, row: Json, now: float) -> int:
    if row["status"] != "running":
        return 100
    begins, seconds = _begins_at(project, row), row["seconds"]
    if now <= begins or not seconds:
        return 0
    return min(99, int(100 * (now - begins) / seconds))
