"""Reading request bodies: every value is checked, a wrong one raises invalid_input that names its field."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sandbox.frame.values import Json
from sandbox.hcloud.model.errors import invalid

LONGEST_NAME: Final = 255
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


def text(body: Json, field: str, *, required: bool = True, longest: int = LONGEST_NAME) -> str:
    """Return a text; an absent one is "" unless it is required."""
    value = body.get(field)
    if value is None and not required:
        return ""
    if value is None or value == "":
        raise invalid(field, "is required")
    if not isinstance(value, str):
        raise invalid(field, "must be a string")
    if len(value) > longest:
        raise invalid(field, f"must not be longer than {longest} characters")
    return value


def host_name(body: Json, field: str = "name") -> str:
    """Return a server's name: a valid host name as of RFC 1123."""
    if not _HOST_NAME.fullmatch(value := text(body, field)):
        raise invalid(field, "must be a valid hostname as per RFC 1123")
    return value


def integer(body: Json, field: str, *, least: int, most: int) -> int:
    """Return a required whole number within its limits."""
    value = body.get(field)
    if value is None:
        raise invalid(field, "is required")
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(field, "must be an integer")
    if not least <= value <= most:
        raise invalid(field, f"must be between {least} and {most}")
    return value


def boolean(body: Json, field: str, *, default: bool) -> bool:
    """Return a boolean."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(field, "must be a boolean")
    return value


def choice(body: Json, field: str, allowed: Sequence[str], default: str = "") -> str:
    """Return one of the allowed texts."""
    value = body.get(field)
    if value is None and default:
        return default
    if value not in allowed:
        raise invalid(field, f"must be one of {', '.join(allowed)}" if value is not None else "is required")
    return str(value)


def items(body: Json, field: str) -> list[Any]:
    """Return a list; an absent one is empty."""
    value = body.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(field, "must be an array")
    return value


def objects(body: Json, field: str) -> list[Json]:
    """Return a list of objects; an absent one is empty."""
    found = items(body, field)
    if not all(isinstance(one, dict) for one in found):
        raise invalid(field, "must be an array of objects")
    return found


def mapping(body: Json, field: str) -> Json:
    """Return an object; an absent one is empty."""
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(field, "must be an object")
    return value


def identifier(value: object, field: str) -> int:
    """Return an id that may have come as digits."""
    if isinstance(value, bool) or not str(value).isdigit():
        raise invalid(field, "must be an ID")
    return int(str(value))
