"""Parameters of a Bot API call, from query, form, multipart or JSON, read as the type a method wants."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from sandbox.telegram.model.errors import bad_request


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A file that came with the call."""

    name: str
    mime_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Params:
    """Values by name; query and forms bring text, JSON brings types, every reader accepts both."""

    values: Mapping[str, Any]
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a text; numbers become text."""
        value = self.values.get(name, default)
        return value if isinstance(value, str) else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """Return an integer; anything that is none counts as the default, as the original does."""
        try:
            return int(self.values.get(name, default))
        except (TypeError, ValueError):
            return default

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        return str(self.values.get(name, "")).lower() in {"true", "1", "yes"}

    def value(self, name: str) -> Any:
        """Return an object or list, parsed if it came as text; None if absent. Raises a 400 for broken JSON."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def has(self, name: str) -> bool:
        """Tell whether the call named this parameter at all."""
        return name in self.values or name in self.uploads


async def read_params(request: Request) -> Params:
    """Collect the parameters of one call; the body wins over the query."""
    values: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if kind == "application/json":
        values |= _json_object(await request.body())
        return Params(values)
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        async with request.form(max_part_size=64 * 1024 * 1024) as form:
            return await _from_form(values, form)
    return Params(values)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError as error:
        raise bad_request("can't parse JSON object") from error
    if not isinstance(parsed, dict):
        raise bad_request("can't parse JSON object")
    return {name: value for name, value in parsed.items() if value is not None}


async def _from_form(values: dict[str, Any], form: FormData) -> Params:
    uploads: dict[str, Upload] = {}
    for name, part in form.multi_items():
        if isinstance(part, UploadFile):
            uploads[name] = Upload(
                name=part.filename or name,
                mime_type=part.content_type or "application/octet-stream",
                content=await part.read(),
            )
        else:
            values[name] = part
    return Params(values, uploads)
