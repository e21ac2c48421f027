"""Reading calls in every form and writing them anew: what was checked is what is sent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.virtual.parameters import Call, Form, read_call, strict_json, write_body

_LIMIT = 1_000_000
_NAME = st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda name: "id" not in name)


def _request(body: bytes = b"", content_type: str = "", query: str = "", method: str = "POST") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode())] if content_type else []
    scope = {"type": "http", "method": method, "path": "/", "query_string": query.encode(), "headers": headers}
    return Request(scope | {"server": ("x", 1), "scheme": "http"}, receive)


async def _read(*arguments: Any, **more: Any) -> Call:
    return await read_call(_request(*arguments, **more), max_bytes=_LIMIT)


def _multipart(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--q\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + b"--q--\r\n"


async def test_all_forms_mean_the_same() -> None:
    keyboard = {"inline_keyboard": [[{"text": "ü"}]]}
    fields = {"chat_id": "7", "text": "a b&c", "reply_markup": json.dumps(keyboard)}
    parts = [(f'Content-Disposition: form-data; name="{name}"', value.encode()) for name, value in fields.items()]
    forms = [
        await _read(urlencode(fields).encode(), "application/x-www-form-urlencoded"),
        await _read(query=urlencode(fields), method="GET"),
        await _read(_multipart(*parts), "multipart/form-data; boundary=q"),
        await _read(json.dumps(fields).encode(), "application/json; charset=utf-8"),
    ]
    for call in forms:
        assert call.fields == fields | {"reply_markup": keyboard}


@given(st.dictionaries(_NAME, st.text() | st.integers() | st.booleans() | st.lists(st.text(), max_size=3), max_size=6))
async def test_what_is_written_in_json_reads_the_same(fields: dict[str, Any]) -> None:
    body = write_body(Call(form=Form.JSON, fields=fields))
    assert json.loads(bytes(body.content)) == fields  # type: ignore[arg-type]
    assert body.length == len(body.content)  # type: ignore[arg-type]


@given(st.dictionaries(_NAME, st.text(min_size=1).filter(lambda text: text.isprintable()), max_size=6))
async def test_what_is_written_as_a_form_reads_the_same(fields: dict[str, str]) -> None:
    body = write_body(Call(form=Form.STRINGS, fields=fields))
    read = parse_qs(bytes(body.content).decode(), keep_blank_values=True)  # type: ignore[arg-type]
    assert read == {name: [value] for name, value in fields.items()}


async def test_an_upload_is_written_with_its_exact_length() -> None:
    parts = [
        ('Content-Disposition: form-data; name="chat_id"', b"7"),
        (
            'Content-Disposition: form-data; name="photo"; filename="a\\"b.jpg"\r\nContent-Type: image/jpeg',
            b"\xff\r\n--not-q",
        ),
    ]
    call = await _read(_multipart(*parts), "multipart/form-data; boundary=q")
    body = write_body(call, {"chat_id": 7})
    assert not isinstance(body.content, bytes)
    raw = b"".join([chunk async for chunk in body.content])
    assert len(raw) == body.length
    again = await _read(raw, body.content_type)
    assert again.fields == {"chat_id": "7"}
    [(name, upload)] = again.files
    assert (name, upload.filename, upload.content_type) == ("photo", "a_b.jpg", "image/jpeg")
    assert await upload.read() == b"\xff\r\n--not-q"
    await call.close()
    await again.close()


async def test_a_boundary_in_a_value_does_not_end_it() -> None:
    """A value that looks like parts stays a value: the boundary is drawn anew."""
    evil = '--q2\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n666\r\n--q2--'
    parts = [
        ('Content-Disposition: form-data; name="caption"', evil.encode()),
        ('Content-Disposition: form-data; name="photo"; filename="a"', b"x"),
    ]
    call = await _read(_multipart(*parts), "multipart/form-data; boundary=q")
    body = write_body(call, {"chat_id": 7})
    assert not isinstance(body.content, bytes)
    raw = b"".join([chunk async for chunk in body.content])
    again = await _read(raw, body.content_type)
    assert again.fields == {"caption": evil, "chat_id": "7"}
    await call.close()
    await again.close()


@pytest.mark.parametrize(
    ("body", "content_type", "query"),
    [
        (b"a=1&a=2", "application/x-www-form-urlencoded", ""),
        (b"a=1", "application/x-www-form-urlencoded", "a=1"),
        (b'{"a": 1, "a": 1}', "application/json", ""),
        (b'{"a": {"b": 1, "b": 2}}', "application/json", ""),
        (b'{"a": 1}', "application/json", "a=1"),
        (b'{"a": NaN}', "application/json", ""),
        (b"[1]", "application/json", ""),
        (b"{", "application/json", ""),
        (b"[" * 100_000, "application/json", ""),
        (b'{"a": "{\\"b\\": 1, \\"b\\": 2}"}', "application/json", ""),
        (b'{"a": "\\ufeff{broken"}', "application/json", ""),
        (b"<x/>", "application/xml", ""),
        (b"&".join(b"a%d=1" % number for number in range(500)), "application/x-www-form-urlencoded", ""),
        (
            _multipart(
                ('Content-Disposition: form-data; name="a"', b"1"),
                ('Content-Disposition: form-data; name="a"; filename="f"', b"2"),
            ),
            "multipart/form-data; boundary=q",
            "",
        ),
        (b"--q\r\nno header", "multipart/form-data; boundary=p", ""),
        (b"x", "multipart/form-data", ""),
    ],
)
async def test_what_two_parsers_may_read_differently_is_refused(body: bytes, content_type: str, query: str) -> None:
    with pytest.raises(BotApiError) as refusal:
        await _read(body, content_type, query)
    assert refusal.value.error_code == 400


async def test_bodies_are_bounded_while_they_arrive() -> None:
    with pytest.raises(BotApiError) as refusal:
        await read_call(_request(b"x" * 2000, "application/json"), max_bytes=1000)
    assert refusal.value.error_code == 413


def test_words_are_never_taken_for_json() -> None:
    assert strict_json('{"a": [1, 2]}') == {"a": [1, 2]}


async def test_a_text_that_looks_like_json_stays_a_text() -> None:
    call = await _read(b'{"text": "{\\"chat_id\\": 5}", "caption": "[broken"}', "application/json")
    assert call.fields == {"text": '{"chat_id": 5}', "caption": "[broken"}


@pytest.mark.parametrize("value", ["", None])
def test_absent_values_are_absent(value: object) -> None:
    call = Call(form=Form.JSON, fields={"a": value})
    assert (call.integer("a"), call.text("a"), call.flag("a"), call.strings("a")) == (None, "", False, None)
