"""What every answer has in common: error shape, body limit, security headers."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from clawstack.errors import ConflictError, LimitExceededError, TemporaryError
from clawstack.redaction import Redactor
from services.kit.http import errors
from services.kit.http.middleware import BodyLimit, SecurityHeaders


class Body(BaseModel):
    count: int


@pytest.fixture
def app():
    app = FastAPI()
    errors.install(app, Redactor())

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.post("/large/raw")
    async def raw() -> dict[str, str]:
        return {"ok": "yes"}

    @app.get("/raise/{what}")
    async def fail(what: str) -> None:
        raise {
            "conflict": ConflictError("It is taken.", code="taken", remedy="Choose another."),
            "limit": LimitExceededError("Used up.", retry_after=1.2),
            "busy": TemporaryError("Busy.", retry_after=3),
            "defect": ValueError("planted-detail"),
        }[what]

    app.add_middleware(SecurityHeaders)
    app.add_middleware(BodyLimit, max_bytes=1000, timeout=timedelta(seconds=0.2), except_below=("/large/",))
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


async def test_applications_with_a_bound_of_their_own_are_left_alone(client):
    assert (await client.post("/large/raw", content=b"x" * 5000)).status_code == 200


async def test_a_sender_that_dawdles_is_cut_off(app):
    import asyncio

    sent = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/echo", "method": "POST", "headers": [], "query_string": b""}
    limit = BodyLimit(app, max_bytes=10, timeout=timedelta(seconds=0.01), except_below=())
    await limit(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_pages_cannot_be_framed_or_sniffed(client):
    headers = (await client.get("/nowhere")).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
