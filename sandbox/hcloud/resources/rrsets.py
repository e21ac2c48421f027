"""Record sets of DNS zones: all records of one name and type. Changes hold at once; the action is their publication."""

from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.effects import change, delete
from sandbox.hcloud.model.errors import ApiError, invalid, protected
from sandbox.hcloud.model.project import Project
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Handler, Route
from sandbox.hcloud.requests.labels import checked_labels
from sandbox.hcloud.resources import records
from sandbox.hcloud.resources.common import action_answer, listed

_BASE: Final = "/zones/{id}/rrsets"
_ONE: Final = f"{_BASE}/{{name}}/{{type}}"


def of_zone(project: Project, zone: int) -> list[Json]:
    """Return the record sets of a zone."""
    return [row for row in project.rows("rrsets") if row["zone"] == zone]


def new_rrset(call: Call, zone: Json, body: Json) -> Json:
    """Keep a new record set. Raises what is wrong with it, or uniqueness_error."""
    name, record_type = records.record_name(body), fields.choice(body, "type", records.TYPES)
    row = {"id": 0, "zone": zone["id"], "name": name, "type": record_type, "ttl": records.ttl(body)}
    row |= {"labels": checked_labels(body.get("labels")), "protection": {"change": False}}
    row["records"] = records.records(body, record_type)
    here = [one["type"] for one in of_zone(call.project, zone["id"]) if one["name"] == name]
    if record_type in here:
        raise ApiError("uniqueness_error", f"RRSet {name}/{record_type} already exists", {"fields": [{"name": "name"}]})
    if here and "CNAME" in {record_type, *here}:
        raise invalid("type", "a CNAME stands alone at its name")
    return call.project.add("rrsets", row)


def show(row: Json) -> Json:
    """Return a record set; its id is its name and type."""
    return {**row, "id": f"{row['name']}/{row['type']}"}


def _zone(call: Call) -> Json:
    row = call.target("zones")
    if row["mode"] == "secondary":
        raise ApiError("unsupported_error", "records of a secondary zone come from its primary nameservers")
    return row


def _find(call: Call, zone: Json) -> Json | None:
    named = (call.path["name"], call.path["type"])
    return next((one for one in of_zone(call.project, zone["id"]) if (one["name"], one["type"]) == named), None)


def _row(call: Call, *, changing: bool = True) -> tuple[Json, Json]:
    zone = _zone(call) if changing else call.target("zones")
    if (row := _find(call, zone)) is None:
        raise ApiError("not_found", f"RRSet {call.path['name']}/{call.path['type']} not found")
    if changing and row["protection"]["change"]:
        raise protected("RRSet", show(row)["id"])
    if changing and call.project.is_locked("rrsets", row["id"]):
        raise ApiError("conflict", "RRSet was changed by another request, please retry")
    return zone, row


def _started(call: Call, command: str, zone: Json, row: Json, **how: Any) -> Json:
    return call.start(command, [("zones", zone["id"])], locks=[("rrsets", row["id"])], **how)


def _list(call: Call) -> Answer:
    shown = [show(row) for row in of_zone(call.project, call.target("zones")["id"])]
    return listed(call, "rrsets", shown, sorts=("id", "name", "type"), filters=("name", "type"))


def _read(call: Call) -> Answer:
    return Answer(body={"rrset": show(_row(call, changing=False)[1])})


def _create(call: Call) -> Answer:
    zone = _zone(call)
    row = new_rrset(call, zone, call.body)
    action = _started(call, "create_rrset", zone, row, undo=[delete("rrsets", row["id"])])
    return Answer(body={"rrset": show(row), "action": action}, status=201)


def _update(call: Call) -> Answer:
    _, row = _row(call, changing=False)
    if call.body.get("labels") is not None:
        row["labels"] = checked_labels(call.body["labels"])
    return Answer(body={"rrset": show(row)})


def _delete(call: Call) -> Answer:
    zone, row = _row(call)
    return action_answer(_started(call, "delete_rrset", zone, row, effects=[delete("rrsets", row["id"])]))


def _change_protection(call: Call) -> Answer:
    zone, row = _row(call, changing=False)
    row["protection"] = {"change": fields.boolean(call.body, "change", default=row["protection"]["change"])}
    return action_answer(_started(call, "change_rrset_protection", zone, row))


def _change_ttl(call: Call) -> Answer:
    zone, row = _row(call)
    done = [change("rrsets", row["id"], ttl=records.ttl(call.body))]
    return action_answer(_started(call, "change_rrset_ttl", zone, row, effects=done))


def _put(call: Call, command: str, zone: Json, row: Json, new: list[Json]) -> Answer:
    """Set the records at once; a set without any is gone."""
    before = row["records"]
    row["records"] = new
    if not new:
        call.project.remove("rrsets", row["id"])
    return action_answer(_started(call, command, zone, row, undo=[change("rrsets", row["id"], records=before)]))


def _set_records(call: Call) -> Answer:
    zone, row = _row(call)
    return _put(call, "set_rrset_records", zone, row, records.records(call.body, row["type"]))


def _add_records(call: Call) -> Answer:
    zone = _zone(call)
    if _find(call, zone) is None:  # the original makes the set when it is not there
        return _created_by_adding(call, zone)
    zone, row = _row(call)
    new = records.records(call.body, row["type"])
    have = {one["value"] for one in row["records"]}
    if twice := sorted(have & {one["value"] for one in new}):
        raise ApiError("uniqueness_error", f"record {twice[0]!r} already exists", {"fields": [{"name": "records"}]})
    if (seconds := records.ttl(call.body)) is not None:
        row["ttl"] = seconds
    return _put(call, "add_rrset_records", zone, row, [*row["records"], *new])


def _created_by_adding(call: Call, zone: Json) -> Answer:
    row = new_rrset(call, zone, {**call.body, "name": call.path["name"], "type": call.path["type"]})
    return action_answer(_started(call, "add_rrset_records", zone, row, undo=[delete("rrsets", row["id"])]))


def _remove_records(call: Call) -> Answer:
    zone, row = _row(call)
    gone = {one["value"] for one in records.records(call.body, row["type"])}
    if missing := gone - {one["value"] for one in row["records"]}:
        raise ApiError("not_found", f"record {min(missing)!r} not found")
    return _put(call, "remove_rrset_records", zone, row, [one for one in row["records"] if one["value"] not in gone])


def _update_records(call: Call) -> Answer:
    """Set the comments of records that are there."""
    zone, row = _row(call)
    comments = {one["value"]: one["comment"] for one in records.records(call.body, row["type"])}
    if missing := set(comments) - {one["value"] for one in row["records"]}:
        raise ApiError("not_found", f"record {min(missing)!r} not found")
    new = [{"value": one["value"], "comment": comments.get(one["value"], one["comment"])} for one in row["records"]]
    return _put(call, "update_rrset_records", zone, row, new)


_ACTIONS: Final[dict[str, Handler]] = {
    "change_protection": _change_protection,
    "change_ttl": _change_ttl,
    "set_records": _set_records,
    "add_records": _add_records,
    "remove_records": _remove_records,
    "update_records": _update_records,
}
ROUTES: Final[list[Route]] = [
    ("GET", _BASE, _list),
    ("POST", _BASE, _create),
    ("GET", _ONE, _read),
    ("PUT", _ONE, _update),
    ("DELETE", _ONE, _delete),
    *[("POST", f"{_ONE}/actions/{name}", handler) for name, handler in _ACTIONS.items()],
]
