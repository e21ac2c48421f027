"""DNS zones: addressed by id or name. Their record sets are in `rrsets.py`."""

from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.effects import change, delete
from sandbox.hcloud.model.errors import ApiError, invalid
from sandbox.hcloud.requests import fields
from sandbox.hcloud.requests.call import Answer, Call, Route
from sandbox.hcloud.requests.labels import checked_labels
from sandbox.hcloud.resources import records
from sandbox.hcloud.resources.common import Kind, action_answer, kind_routes, new_row, protection_route
from sandbox.hcloud.resources.rrsets import new_rrset, of_zone

NAMESERVERS: Final = ("helium.ns.hetzner.de.", "hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.")
_DEFAULT_TTL: Final = 3600


def show(call: Call, row: Json) -> Json:
    """Return a zone with the number of its records."""
    count = sum(len(one["records"]) for one in of_zone(call.project, row["id"]))
    status = "updating" if call.project.is_locked("zones", row["id"]) else "ok"
    nameservers = {
        "assigned": list(NAMESERVERS) if row["mode"] == "primary" else [],
        "delegated": [],
        "delegation_last_check": row["created"],
        "delegation_status": "unknown",
    }
    return {**row, "record_count": count, "status": status, "authoritative_nameservers": nameservers}


def _create(call: Call) -> Answer:
    body, name = call.body, records.zone_name(call.body)
    mode = fields.choice(body, "mode", ("primary", "secondary"))
    row = new_row(call, "zones", name=name, mode=mode, ttl=records.ttl(body) or _DEFAULT_TTL, registrar="other")
    row |= {"protection": {"delete": False}, "primary_nameservers": _primaries(body, mode)}
    wishes = fields.objects(body, "rrsets")
    if text := fields.text(body, "zonefile", required=False, longest=1_048_576):
        wishes = [*wishes, *records.read(text)]
    call.project.check_quota("zones")
    call.project.add("zones", row)
    try:
        _fill(call, row, wishes)
    except ApiError:
        call.project.remove("zones", row["id"])  # a refused zone leaves nothing behind
        for one in of_zone(call.project, row["id"]):
            call.project.remove("rrsets", one["id"])
        raise
    return KIND.answer(call, row, 201, action=call.start("create_zone", [("zones", row["id"])]))


def _primaries(body: Json, mode: str) -> list[Json]:
    given = fields.objects(body, "primary_nameservers")
    if (mode == "secondary") != bool(given):
        raise invalid("primary_nameservers", "is required for secondary zones and only allowed there")
    return [{"address": fields.text(one, "address"), "port": one.get("port") or 53, **_tsig(one)} for one in given]


def _tsig(body: Json) -> Json:
    return {name: body[name] for name in ("tsig_algorithm", "tsig_key") if body.get(name) is not None}


def _fill(call: Call, zone: Json, wishes: list[Json]) -> None:
    if zone["mode"] == "secondary":
        return
    soa = f"{NAMESERVERS[1]} dns.hetzner.com. {zone['id']} 86400 10800 3600000 3600"
    new_rrset(call, zone, {"name": "@", "type": "SOA", "records": [{"value": soa}]})
    given = {(one.get("name"), one.get("type")) for one in wishes}
    if ("@", "NS") not in given:
        new_rrset(call, zone, {"name": "@", "type": "NS", "records": [{"value": one} for one in NAMESERVERS]})
    for one in wishes:
        new_rrset(call, zone, one)


def _update(call: Call) -> Answer:
    row = call.target("zones")
    if call.body.get("labels") is not None:
        row["labels"] = checked_labels(call.body["labels"])
    return KIND.answer(call, row)


def _delete(call: Call) -> Answer:
    row = call.deletable("zones")
    action = call.start("delete_zone", [("zones", row["id"])], effects=[delete("zones", row["id"])])
    return action_answer(action)


def _change_ttl(call: Call) -> Answer:
    row = call.free("zones")
    if (seconds := records.ttl(call.body)) is None:
        raise invalid("ttl", "is required")
    return action_answer(
        call.start("change_zone_ttl", [("zones", row["id"])], effects=[change("zones", row["id"], ttl=seconds)])
    )


def _change_primaries(call: Call) -> Answer:
    row = call.free("zones")
    given = _primaries(call.body, row["mode"])
    done = [change("zones", row["id"], primary_nameservers=given)]
    return action_answer(call.start("change_primary_nameservers", [("zones", row["id"])], effects=done))


def _export(call: Call) -> Answer:
    row = call.target("zones")
    return Answer(body={"zonefile": records.written(row, of_zone(call.project, row["id"]))})


def _import(call: Call) -> Answer:
    row = call.free("zones")
    wishes = records.read(fields.text(call.body, "zonefile", longest=1_048_576))
    kept = of_zone(call.project, row["id"])
    for one in kept:
        call.project.remove("rrsets", one["id"])
    try:
        _fill(call, row, wishes)
    except ApiError:
        for one in of_zone(call.project, row["id"]):
            call.project.remove("rrsets", one["id"])
        call.project.kinds["rrsets"] |= {one["id"]: one for one in kept}
        raise
    return action_answer(call.start("import_zone", [("zones", row["id"])]))


KIND: Final = Kind(name="zones", key="zone", show=show, filters=("name", "mode"))
_ACTION: Final = "/zones/{id}/actions"
ROUTES: Final[list[Route]] = [
    *kind_routes(KIND, update=_update),
    ("POST", "/zones", _create),
    ("DELETE", "/zones/{id}", _delete),
    ("GET", "/zones/{id}/zonefile", _export),
    ("POST", f"{_ACTION}/import_zonefile", _import),
    ("POST", f"{_ACTION}/change_ttl", _change_ttl),
    ("POST", f"{_ACTION}/change_primary_nameservers", _change_primaries),
    protection_route("zones"),
]
