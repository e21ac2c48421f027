"""What every answer has in common: error shape, body limit, security headers."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from clawstack.errors import ConflictError, LimitExceededError, TemporaryError
from clawstack.redaction import Redactor
from services.kit.http import errors
from services.kit.http.intake import BodyCeiling, BoundedRoute, takes
from services.kit.http.middleware import SecurityHeaders
from services.kit.http.provided import provide
from tests.attackers import DEAR_BODIES


class Body(BaseModel):
    count: int


@pytest.fixture
def app():
    app = FastAPI()
    app.router.route_class = BoundedRoute
    provide(app, [BodyCeiling(max_bytes=1000, seconds=0.05)])
    errors.install(app, Redactor())

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.post("/small")
    @takes(max_bytes=100)
    async def small(body: Body) -> Body:
        return body

    async def refuse(_: Request) -> None:
        raise LimitExceededError("Too often.", retry_after=7)

    @app.post("/limited")
    @takes(max_bytes=100, before=refuse)
    async def limited(body: Body) -> Body:
        return body

    @app.get("/raise/{what}")
    async def fail(what: str) -> None:
        raise {
            "conflict": ConflictError("It is taken.", code="taken", remedy="Choose another."),
            "limit": LimitExceededError("Used up.", retry_after=1.2),
            "busy": TemporaryError("Busy.", retry_after=3),
            "defect": ValueError("planted-detail"),
        }[what]

    app.add_middleware(SecurityHeaders)
    return app


@pytest.fixture
async def client(app):
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("what", "status", "code", "retry_after"),
    [
        ("conflict", 409, "taken", None),
        ("limit", 429, "limit_exceeded", "2"),
        ("busy", 503, "temporarily_unavailable", "3"),
        ("defect", 500, "internal_error", None),
    ],
)
async def test_every_error_has_one_shape(client, what, status, code, retry_after):
    answer = await client.get(f"/raise/{what}")
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]
    assert answer.headers.get("Retry-After") == retry_after
    assert "planted-detail" not in answer.text


async def test_malformed_json_and_wrong_fields_are_told_apart(client):
    malformed = await client.post("/echo", content=b"{", headers={"Content-Type": "application/json"})
    wrong = await client.post("/echo", json={"count": "many"})
    assert (malformed.status_code, malformed.json()["error"]["code"]) == (400, "malformed_json")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_input")
    assert "count" in wrong.json()["error"]["message"]


async def test_unknown_paths_and_methods_have_the_shape_too(client):
    assert (await client.get("/nowhere")).json()["error"]["code"] == "not_found"
    assert (await client.get("/echo")).json()["error"]["code"] == "method_not_allowed"


async def _chunks(count, size=100):
    for _ in range(count):
        yield b"x" * size


@pytest.mark.parametrize("content", [b"x" * 1001, _chunks(11)])
async def test_a_large_body_is_refused_with_its_limit(client, content):
    answer = await client.post("/echo", content=content)
    assert answer.status_code == 413
    assert "1000 bytes" in answer.json()["error"]["message"]


async def test_a_body_at_the_limit_passes(client):
    body = b'{"count": 1' + b" " * 988 + b"}"
    assert len(body) == 1000
    answer = await client.post("/echo", content=body, headers={"Content-Type": "application/json"})
    assert answer.json() == {"count": 1}


async def test_a_route_says_its_own_limit_and_the_ceiling_holds_for_all(client):
    body = b'{"count": 1' + b" " * 89 + b"}"
    answer = await client.post("/small", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (413, "The body is larger than 100 bytes.")


@pytest.mark.parametrize("name", ["empty lists", "names", "deep lists"])
async def test_a_body_of_a_dear_shape_is_refused_unparsed(app, client, monkeypatch, name):
    provide(app, [BodyCeiling(max_bytes=2**20)])
    monkeypatch.setattr(json, "loads", pytest.fail)
    for content_type in ("application/json", "application/merge-patch+json", None):
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = await client.post("/echo", content=DEAR_BODIES[name](60_000), headers=headers)
        assert answer.status_code == 400
        assert b'"code":"malformed_json"' in answer.content


async def asked(app, path, receive):
    """What the application sends to a request whose body comes from `receive`."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "POST", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return sent


async def never():
    await asyncio.Event().wait()


async def test_a_sender_that_dawdles_is_cut_off(app):
    sent = await asked(app, "/echo", never)
    assert sent[0]["status"] == 408


async def test_a_sender_that_trickles_is_cut_off(app):
    async def trickle():
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    sent = await asked(app, "/echo", trickle)
    assert sent[0]["status"] == 408


async def test_the_limiter_is_asked_before_any_body(app):
    async def read():
        pytest.fail("the body was asked for")

    sent = await asked(app, "/limited", read)
    assert sent[0]["status"] == 429
    assert (b"retry-after", b"7") in sent[0]["headers"]


async def test_pages_cannot_be_framed_or_sniffed(client):
    headers = (await client.get("/nowhere")).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
