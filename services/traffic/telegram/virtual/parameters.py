"""Reading a method call in all the forms the Bot API takes, and writing it anew for the real bot.

GET with a query, POST with JSON, URL-encoded or multipart bodies. One name may appear once: which of two values counts
is a matter on which two servers may differ.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from clawstack.errors import PayloadTooLargeError
from services.kit.http.bodies import pieces
from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.virtual.methods import TEXT_PARAMETERS

_MOST_FIELDS: Final = 200
_MOST_FILES: Final = 20
_MOST_FIELD_BYTES: Final = 1024 * 1024
_MOST_PLAIN_BYTES: Final = 2 * 1024 * 1024
_MOST_INTEGER: Final = 10**18
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
#: The richest call, fifty results of an inline query with a keyboard each, has some 3,000. Two hundred fields of a form
#: may each hold as many.
_SHAPE: Final = JsonBounds(items=5000, depth=64)
_CHUNK: Final = 64 * 1024
_MULTIPART: Final = "multipart/form-data"
_URLENCODED: Final = "application/x-www-form-urlencoded"


class Form(StrEnum):
    """How values travel: as JSON values, or as strings."""

    JSON = "json"
    STRINGS = "strings"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A method call: its parameters as they will be sent, and files to upload."""

    form: Form
    fields: dict[str, Any] = field(default_factory=dict)
    """Strings, or JSON values. Structured values are decoded here whatever form they came in."""
    files: tuple[tuple[str, UploadFile], ...] = ()

    def integer(self, name: str) -> int | None:
        """A whole number; None when absent. Raises BotApiError when it is something else."""
        value = self.fields.get(name)
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        if value is None or value == "":
            return None
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_INTEGER:
            return value
        raise BotApiError(400, f"Bad Request: {name} must be an integer")

    def text(self, name: str) -> str:
        """A string, "" when absent."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def flag(self, name: str) -> bool:
        """A truth value as the real server reads it."""
        value = self.fields.get(name)
        return value is True or (isinstance(value, str) and value.lower() in {"true", "yes", "1"}) or value == 1

    def strings(self, name: str) -> list[str] | None:
        """A list of strings; None when absent. Raises BotApiError when it is something else."""
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        raise BotApiError(400, f"Bad Request: {name} must be a list of strings")

    async def close(self) -> None:
        """Remove uploaded files."""
        for _, upload in self.files:
            await upload.close()


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body for the real bot."""

    content_type: str
    content: bytes | AsyncIterator[bytes]
    length: int


async def read_call(request: Request, *, max_bytes: int) -> Call:
    """The call in a request. Raises BotApiError 400 for what cannot be read and 413 for what is too large."""
    query = _pairs(request.url.query)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    limit = max_bytes if content_type == _MULTIPART else min(max_bytes, _MOST_PLAIN_BYTES)
    stream = _limited(request, limit)
    if content_type == _MULTIPART:
        return await _read_multipart(request, stream, query)
    body = b"".join([chunk async for chunk in stream])
    if content_type == "application/json" and body.strip():
        return _read_json(body, query)
    pairs = query
    if body and content_type == _URLENCODED:
        pairs = query + _pairs(body.decode("utf-8", "replace"))
    elif body.strip():
        raise BotApiError(400, "Bad Request: unsupported content type")
    return Call(form=Form.STRINGS, fields=_unique(_decoded(pairs)))


def write_body(call: Call, changes: dict[str, Any] | None = None) -> Body:
    """The call anew, with `changes` to its fields."""
    fields = call.fields | (changes or {})
    if call.files:
        return _write_multipart(fields, call.files)
    if call.form is Form.JSON:
        content = json.dumps(fields).encode()
        return Body(content_type="application/json", content=content, length=len(content))
    content = urlencode({name: _as_string(value) for name, value in fields.items()}, errors="replace").encode()
    return Body(content_type=_URLENCODED, content=content, length=len(content))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BotApiError(400, "Bad Request: too many parameters") from error


def _read_json(body: bytes, query: list[tuple[str, str]]) -> Call:
    decoded = strict_json(body)
    if not isinstance(decoded, dict):
        raise BotApiError(400, "Bad Request: the body must be a JSON object")
    return Call(form=Form.JSON, fields=_unique([*_decoded(query), *_decoded(decoded.items())]))


async def _read_multipart(request: Request, stream: AsyncGenerator[bytes, None], query: list[tuple[str, str]]) -> Call:
    parser = MultiPartParser(
        request.headers, stream, max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES
    )
    try:
        form: FormData = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError, LookupError) as error:
        raise BotApiError(400, "Bad Request: the multipart body cannot be read") from error
    texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    files = tuple((name, value) for name, value in form.multi_items() if isinstance(value, UploadFile))
    call = Call(form=Form.STRINGS, files=files)
    try:
        fields = _unique([*_decoded(query), *_decoded(texts)])
        _unique([*fields.items(), *files])
    except BotApiError:
        await call.close()
        raise
    return Call(form=Form.STRINGS, fields=fields, files=files)


def strict_json(text: bytes | str) -> Any:
    """Decoded JSON without anything on which parsers differ. Raises BotApiError."""
    try:
        return decode(text, _SHAPE, pairs=_unique)
    except ValueError as error:
        raise BotApiError(400, "Bad Request: can't parse JSON") from error


def _decoded(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, _decode_structured(name, value)) for name, value in pairs]


def _decode_structured(name: str, value: Any) -> Any:
    """Objects and lists may come as strings of JSON; they are decoded so that they can be looked into."""
    if not isinstance(value, str) or name in TEXT_PARAMETERS:
        return value
    if value.lstrip("\ufeff \t\r\n\v\f\0").startswith(("{", "[")):
        return strict_json(value)
    return value


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise BotApiError(400, f"Bad Request: {_shown(name)} is given more than once")
        result[name] = value
    return result


def _write_multipart(fields: dict[str, Any], files: tuple[tuple[str, UploadFile], ...]) -> Body:
    boundary = secrets.token_hex(24)
    heads = []
    for name, value in fields.items():
        head = _head(boundary, f'name="{_safe_name(name)}"')
        heads.append(head + _as_string(value).encode("utf-8", "replace") + b"\r\n")
    parts = [(_file_head(boundary, name, upload), upload) for name, upload in files]
    end = f"--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(len(head) + (upload.size or 0) + 2 for head, upload in parts) + len(end)

    async def content() -> AsyncIterator[bytes]:
        yield b"".join(heads)
        for head, upload in parts:
            yield head
            await upload.seek(0)
            while chunk := await upload.read(_CHUNK):
                yield chunk
            yield b"\r\n"
        yield end

    return Body(content_type=f"{_MULTIPART}; boundary={boundary}", content=content(), length=length)


def _file_head(boundary: str, name: str, upload: UploadFile) -> bytes:
    shown = re.sub(r'[\x00-\x1f"\\]', "_", upload.filename or "file")[:255]
    content_type = upload.content_type or ""
    if not _CONTENT_TYPE.fullmatch(content_type):
        content_type = "application/octet-stream"
    return _head(boundary, f'name="{_safe_name(name)}"; filename="{shown}"', f"Content-Type: {content_type}\r\n")


def _head(boundary: str, disposition: str, more: str = "") -> bytes:
    text = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
    return text.encode("utf-8", "replace")


def _safe_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BotApiError(400, f"Bad Request: {_shown(name)} is no parameter")
    return name


def _as_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _shown(name: str) -> str:
    return json.dumps(name[:64])


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in pieces(request.scope, request.receive, limit=limit):
            yield piece
    except PayloadTooLargeError:
        raise BotApiError(413, "Request Entity Too Large") from None
    except ClientDisconnect as error:
        raise BotApiError(400, "Bad Request: the body broke off") from error
    except TimeoutError:
        raise BotApiError(408, "Request Timeout: the body did not arrive in time") from None
