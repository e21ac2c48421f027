"""What DNS records may say, and zone files. Source: docs.hetzner.cloud, zone rrsets; RFC 1035 for the files."""

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import invalid
from sandbox.hcloud.requests import fields

TYPES: Final = (
    *(
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
    ),
)
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_RECORD_NAME: Final = re.compile(rf"@|(\*|{_LABEL})(\.{_LABEL})*")
_HOST: Final = re.compile(rf"@|{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)
_ZONE_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_TXT: Final = re.compile(r'("(?:[^"\\]|\\.){0,255}"\s*)+')
_CAA: Final = re.compile(r'\d{1,3} (issue|issuewild|iodef|contactemail|contactphone|issuemail) ".*"')
_LEAST_TTL: Final = 60
_MOST_TTL: Final = 2_147_483_647


def zone_name(body: Json) -> str:
    """Return the name of a zone: a domain in lower case, without the dot at its end."""
    if not _ZONE_NAME.fullmatch(name := fields.text(body, "name", longest=253)):
        raise invalid("name", f"{name!r} is not a domain in lower case without a dot at its end")
    return name


def record_name(body: Json) -> str:
    """Return the name of a record set, relative to its zone; `@` is the zone itself."""
    if not _RECORD_NAME.fullmatch(name := fields.text(body, "name", longest=253)):
        raise invalid("name", f"{name!r} is not @ or a name in lower case, relative to the zone")
    return name


def ttl(body: Json) -> int | None:
    """Return the time to live in seconds, None when it is left to the zone."""
    return None if body.get("ttl") is None else fields.integer(body, "ttl", least=_LEAST_TTL, most=_MOST_TTL)


def records(body: Json, record_type: str, *, field: str = "records") -> list[Json]:
    """Return checked records, at least one, none twice."""
    found = [_record(one, record_type) for one in fields.objects(body, field)]
    if not found:
        raise invalid(field, "at least one record is needed")
    values = [one["value"] for one in found]
    if len(set(values)) < len(values):
        raise invalid(field, "a value may come only once")
    return found


def _record(body: Json, record_type: str) -> Json:
    value = fields.text(body, "value", longest=65_535)
    if not _CHECKS.get(record_type, bool)(value):
        raise invalid("records.value", f"{value!r} is not a valid value of type {record_type}")
    return {"value": value, "comment": body.get("comment") or ""}


def _is_address(version: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version
        except ValueError:
            return False

    return check


def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def _ends_with_host(numbers: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        *before, host = value.split()
        return len(before) == numbers and all(one.isdigit() for one in before) and (host == "." or _is_host(host))

    return check


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "A": _is_address(4),
    "AAAA": _is_address(6),
    "CNAME": _is_host,
    "NS": _is_host,
    "PTR": _is_host,
    "MX": _ends_with_host(1),
    "SRV": _ends_with_host(3),
    "TXT": lambda value: _TXT.fullmatch(value) is not None,
    "CAA": lambda value: _CAA.fullmatch(value) is not None,
}


def written(zone: Json, rrsets: Iterable[Json]) -> str:
    """Return a zone file."""
    lines = [f"$ORIGIN {zone['name']}.", f"$TTL {zone['ttl']}"]
    for one in rrsets:
        time = "" if one["ttl"] is None else f"{one['ttl']}\t"
        lines += [f"{one['name']}\t{time}IN\t{one['type']}\t{record['value']}" for record in one["records"]]
    return "\n".join(lines) + "\n"


def read(text: str) -> list[Json]:
    """Return the record sets of a zone file, one record a line; SOA is left out. Raises invalid_input with the line."""
    found: dict[tuple[str, str], Json] = defaultdict(lambda: {"ttl": None, "records": []})
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split(";")[0].split() if '"' not in line else line.split()
        if not parts or parts[0].startswith("$"):
            continue
        name, *rest = parts
        time = int(rest.pop(0)) if rest and rest[0].isdigit() else None
        if rest and rest[0] == "IN":
            rest.pop(0)
        if len(rest) < 2 or rest[0] not in TYPES:  # noqa: PLR2004 - type and value
            raise invalid("zonefile", f"line {number} cannot be read: {line!r}")
        if rest[0] != "SOA":
            rrset = found[name, rest[0]]
            rrset["ttl"] = time
            rrset["records"].append({"value": " ".join(rest[1:])})
    return [{"name": name, "type": kind, **rest} for (name, kind), rest in found.items()]
