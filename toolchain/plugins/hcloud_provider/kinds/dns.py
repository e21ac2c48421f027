"""DNS: zones, record sets, and single records of sets that others manage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

from typing_extensions import override

from clawstack.errors import ConflictError, InvalidInputError
from clawstack.plugin_server.values import UNKNOWN
from toolchain.plugins.hcloud_provider.cloud.api import Lost, Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model import words
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.naming import camelled, snaked, split_id
from toolchain.plugins.hcloud_provider.model.parts import AFTER_LOST, LOST_TRIES, taken
from toolchain.plugins.hcloud_provider.model.resource import NamedObject, Resource, Values
from toolchain.plugins.hcloud_provider.model.shapes import Field, Group, flag, labels, many, text, whole

_TYPES: Final = (
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DS",
    "HINFO",
    "HTTPS",
    "MX",
    "NS",
    "PTR",
    "RP",
    "SOA",
    "SRV",
    "SVCB",
    "TLSA",
    "TXT",
)
_TTL: Final = words.between(60, 2_147_483_647)


class Zone(NamedObject):
    """A DNS zone; its name is a domain and never made up."""

    type_name = "hcloud:index/zone:Zone"
    noun, plural, key = "zone", "zones", "zone"
    autonamed = False
    computed = ("authoritativeNameservers", "registrar")
    fields: ClassVar[Mapping[str, Field]] = {
        "name": text(required=True, replaces=True, complaint=words.hostname),
        "mode": text(required=True, replaces=True, values=("primary", "secondary")),
        "ttl": whole(default=3600, complaint=_TTL),
        "labels": labels(),
        "deleteProtection": flag(computed=True),
        "primaryNameservers": many(
            Group(
                fields={
                    "address": text(required=True, complaint=words.address),
                    "port": whole(default=53, complaint=words.port),
                    "tsigAlgorithm": text(),
                    "tsigKey": text(),
                }
            ),
            computed=True,
            least=1,
        ),
    }

    @override
    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:
        servers, mode = wish.get("primaryNameservers"), wish.get("mode")
        if mode == "secondary" and servers is None:
            yield "primaryNameservers", "primaryNameservers is required when mode is 'secondary'."
        if mode == "primary" and servers not in (None, UNKNOWN):
            yield "primaryNameservers", "primaryNameservers does not go with mode 'primary'; leave it out."

    @override
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        servers = [snaked(server) for server in wish.get("primaryNameservers") or []] or None
        return {"mode": wish["mode"], "ttl": wish.get("ttl"), "primary_nameservers": servers}

    @override
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        told: dict[str, Any] = {
            "mode": found["mode"],
            "ttl": found.get("ttl"),
            "registrar": found.get("registrar") or "",
        }
        assigned = (found.get("authoritative_nameservers") or {}).get("assigned") or []
        told["authoritativeNameservers"] = {"assigneds": assigned}
        if found["mode"] == "secondary":
            told["primaryNameservers"] = [camelled(server) for server in found.get("primary_nameservers") or []]
        return {name: value for name, value in told.items() if value is not None}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        base, label = f"{self.path(identity)}/actions", self.label(wish)
        super().update(session, identity, wish, live, set(changed) - {"name"})
        if "ttl" in changed:
            session.act(f"{base}/change_ttl", f"change the TTL of {label}", {"ttl": wish["ttl"]})
        if "primaryNameservers" in changed:
            body = {"primary_nameservers": [snaked(server) for server in wish.get("primaryNameservers") or []]}
            session.act(f"{base}/change_primary_nameservers", f"change the nameservers of {label}", body)


class ZoneRrset(Resource):
    """All records of one name and type; its id is `<name>/<type>`."""

    type_name = "hcloud:index/zoneRrset:ZoneRrset"
    noun = "record set"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "zone": text(required=True, replaces=True),
        "name": text(required=True, replaces=True, complaint=words.not_empty('a name; "@" is the zone itself')),
        "type": text(required=True, replaces=True, values=_TYPES),
        "ttl": whole(complaint=_TTL),
        "labels": labels(),
        "changeProtection": flag(computed=True),
        "records": many(Group(fields={"value": text(required=True), "comment": text()}), required=True, least=1),
    }

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        identity, sent = f"{wish['name']}/{wish['type']}", False
        for _ in range(LOST_TRIES):
            there = _rrset(session, wish)
            if there is not None:
                # SOA records are Hetzner's own and only taken over; others are, where this very call made them.
                if wish["type"] == "SOA" or sent:
                    return identity
                raise self._foreign(wish, identity)
            body = {"name": wish["name"], "type": wish["type"], "ttl": wish.get("ttl"), "records": _records(wish)}
            body["labels"] = dict(wish.get("labels") or {})
            try:
                answer = session.create(f"/zones/{quote(str(wish['zone']), safe='')}/rrsets", body, self.label(wish))
            except Lost as lost:
                sent = True
                session.tell(f"{lost.message} Looking whether it was done.")
                continue
            session.making(identity).settle(answer)
            return identity
        raise Lost(f"Hetzner's answers to creating {self.label(wish)} keep getting lost.", remedy=AFTER_LOST)

    def _foreign(self, wish: Values, identity: str) -> ConflictError:
        return taken(
            f"Zone {wish['zone']} has records {identity} already, and they are not this resource's own.",
            f"Delete them, or take them over: pulumi import {self.type_name} NAME {wish['zone']}/{identity}.",
        )

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        wanted = wish if wish.get("zone") else _rrset_of(identity)
        found = _rrset(session, wanted)
        if found is None:
            return None
        told = {"zone": wanted["zone"], "name": found["name"], "type": found["type"], "ttl": found.get("ttl") or 0}
        told |= {
            "labels": dict(found.get("labels") or {}),
            "records": [_record_seen(found, r) for r in found["records"]],
        }
        told["changeProtection"] = bool((found.get("protection") or {}).get("change"))
        return f"{found['name']}/{found['type']}", told

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        path, label = _rrset_path(wish), self.label(wish)
        if "changeProtection" in changed and not wish.get("changeProtection"):
            session.act(f"{path}/actions/change_protection", f"change protection of {label}", {"change": False})
        if "ttl" in changed:
            session.act(f"{path}/actions/change_ttl", f"change the TTL of {label}", {"ttl": wish.get("ttl") or None})
        if "records" in changed:
            session.act(f"{path}/actions/set_records", f"set {label}", {"records": _records(wish)})
        if "labels" in changed:
            session.change(path, {"labels": dict(wish.get("labels") or {})}, label)
        if "changeProtection" in changed and wish.get("changeProtection"):
            session.act(f"{path}/actions/change_protection", f"change protection of {label}", {"change": True})

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        wanted = state if state.get("zone") else _rrset_of(identity)
        if wanted["type"] != "SOA":
            session.delete(_rrset_path(wanted), f"records {identity}")

    @override
    def label(self, wish: Values) -> str:
        return f"records {wish.get('name')}/{wish.get('type')} of zone {wish.get('zone')}"


class ZoneRecord(Resource):
    """One record of a set that others may add to; its id is `<zone>/<name>/<type>/<value>`."""

    type_name = "hcloud:index/zoneRecord:ZoneRecord"
    noun = "record"
    one_at_a_time = True
    fields: ClassVar[Mapping[str, Field]] = {
        "zone": text(required=True, replaces=True),
        "name": text(required=True, replaces=True, complaint=words.not_empty('a name; "@" is the zone itself')),
        "type": text(required=True, replaces=True, values=_TYPES),
        "value": text(required=True, replaces=True, complaint=words.not_empty("a value")),
        "comment": text(computed=True),
    }

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        identity = "/".join(str(wish[name]) for name in ("zone", "name", "type", "value"))
        if identity not in known and self.read(session, identity, wish) is not None:
            return identity
        body = {"records": [{"value": wish["value"], **_comment(wish)}]}
        session.making(identity).act(f"{_rrset_path(wish)}/actions/add_records", f"add {self.label(wish)}", body)
        return identity

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        wanted = wish if wish.get("zone") else _record_of(identity)
        found = _rrset(session, wanted) or {}
        for record in found.get("records") or []:
            if record["value"] == wanted["value"]:
                told = {name: wanted[name] for name in ("zone", "name", "type", "value")}
                return "/".join(map(str, told.values())), {**told, "comment": record.get("comment") or ""}
        return None

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        body = {"records": [{"value": wish["value"], "comment": wish.get("comment") or ""}]}
        session.act(f"{_rrset_path(wish)}/actions/update_records", f"change {self.label(wish)}", body)

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        wanted = state if state.get("zone") else _record_of(identity)
        if self.read(session, identity, wanted) is not None:
            body = {"records": [{"value": wanted["value"]}]}
            path = f"{_rrset_path(wanted)}/actions/remove_records"
            session.act(path, f"remove {self.label(wanted)}", body, fine=["not_found"])

    @override
    def label(self, wish: Values) -> str:
        return f"record {wish.get('name')}/{wish.get('type')} of zone {wish.get('zone')}"


def _rrset_path(wanted: Values) -> str:
    parts = [quote(str(wanted[name]), safe="") for name in ("zone", "name", "type")]
    return f"/zones/{parts[0]}/rrsets/{parts[1]}/{parts[2]}"


def _rrset(session: Session, wanted: Values) -> Object | None:
    return session.get(_rrset_path(wanted), "rrset", f"records {wanted['name']}/{wanted['type']}")


def _rrset_of(identity: str) -> Values:
    form = "<zone>/<name>/<type>"
    zone, rest = split_id(identity, form, separator="/")
    name, kind = split_id(rest, form, separator="/")
    return {"zone": zone, "name": name, "type": kind}


def _record_of(identity: str) -> Values:
    form = "<zone>/<name>/<type>/<value>"
    parts = identity.split("/", 3)
    if len(parts) != 4:  # noqa: PLR2004 - as the form says
        raise InvalidInputError(f"{identity!r} is no such id.", remedy=f"Its form is {form}.")
    return dict(zip(("zone", "name", "type", "value"), parts, strict=True))


def _records(wish: Values) -> list[Object]:
    return [{"value": record["value"], **_comment(record)} for record in wish["records"]]


def _comment(record: Values) -> Object:
    return {"comment": record["comment"]} if record.get("comment") else {}


def _record_seen(rrset: Object, record: Object) -> Object:
    words_ = str(record["value"]).split(" ")
    if rrset["type"] == "SOA" and len(words_) > 2:  # noqa: PLR2004 - server, mailbox, then the serial
        words_[2] = "0"  # counted up by Hetzner with every change
    return {"value": " ".join(words_), **_comment(record)}
