"""Attempts to get into `/v1` without a right to it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, text, update

from clawstack.tokens import Token, TokenKind, issue
from services.business.access.service import revoke
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.access import ApiToken
from services.tables.billing import Customer
from tests.integration.access.conftest import Issue


def bearer(token: Token | str | bytes) -> dict[bytes, bytes]:
    text_ = token.reveal() if isinstance(token, Token) else token
    raw = text_.encode() if isinstance(text_, str) else text_
    return {b"authorization": b"Bearer " + raw}


async def refused(client: httpx.AsyncClient, presented: Token | str | bytes) -> None:
    answer = await client.get("/v1/me", headers=bearer(presented))
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_valid_token_opens(client: httpx.AsyncClient, issued: Issue) -> None:
    token = await issued("tenants:read", "usage:read")
    answer = await client.get("/v1/me", headers=bearer(token))
    assert answer.status_code == 200
    assert answer.json() == {
        "key": token.key,
        "name": "test",
        "kind": "operator",
        "customer_id": None,
        "scopes": ["tenants:read", "usage:read"],
    }


async def test_no_header_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/me")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"


async def test_the_right_key_with_another_secret_is_refused(client: httpx.AsyncClient, issued: Issue) -> None:
    token, other = await issued(), await issued()
    await refused(client, Token(kind=token.kind, key=token.key, secret=other.secret))
    await refused(client, Token(kind=token.kind, key=token.key, secret=token.secret[:-1] + "_"))


async def test_the_stored_hash_is_not_a_secret_that_opens(
    client: httpx.AsyncClient, issued: Issue, database: Database
) -> None:
    token = await issued()
    async with database.transaction() as session:
        row = (await session.execute(select(ApiToken).where(ApiToken.key == token.key))).scalar_one()
    assert token.secret not in str(vars(row))
    await refused(client, f"{token.kind.value}_{token.key}_{row.secret_hash[:43]}")


@pytest.mark.parametrize("kind", [TokenKind.CUSTOMER, TokenKind.PROXY, TokenKind.CHANNEL])
async def test_key_and_secret_under_another_kind_are_refused(
    client: httpx.AsyncClient, issued: Issue, kind: TokenKind
) -> None:
    token = await issued()
    await refused(client, Token(kind=kind, key=token.key, secret=token.secret))


async def test_a_token_that_was_never_issued_is_refused(client: httpx.AsyncClient) -> None:
    for kind in TokenKind:
        await refused(client, issue(kind))


async def test_a_revoked_token_is_refused_by_the_very_next_request(
    client: httpx.AsyncClient, issued: Issue, database: Database
) -> None:
    token = await issued()
    assert (await client.get("/v1/me", headers=bearer(token))).status_code == 200
    async with database.transaction() as session:
        await revoke(session, token.key)
    await refused(client, token)


async def test_an_expired_token_is_refused(client: httpx.AsyncClient, issued: Issue, database: Database) -> None:
    token = await issued(expires_at=utcnow() + timedelta(hours=1))
    assert (await client.get("/v1/me", headers=bearer(token))).status_code == 200
    async with database.transaction() as session:
        await session.execute(update(ApiToken).values(expires_at=utcnow()))
    await refused(client, token)


async def test_malformed_tokens_are_refused_and_never_an_error(client: httpx.AsyncClient, issued: Issue) -> None:
    whole = (await issued()).reveal()
    hostile: list[str | bytes] = [
        whole[:-1],
        whole + "A",
        whole + " ",
        whole + "\t",
        " " + whole,
        whole.upper(),
        whole[: len(whole) // 2],
        f"{whole},{whole}",
        "A" * 10_000,
        whole + "A" * 10_000,
        whole.encode() + b"\xff\xfe",
        whole.replace("clawop", "clawоp").encode(),  # noqa: RUF001  a Cyrillic o
        "٣" * 63,
        b"\xc3\x28" * 30,
        "clawop__",
        "' OR 1=1 --",
        "null",
    ]
    for presented in hostile:
        await refused(client, presented)


async def test_tokens_outside_the_header_do_not_count(client: httpx.AsyncClient, issued: Issue) -> None:
    whole = (await issued()).reveal()
    for attempt in (
        client.get("/v1/me", params={"access_token": whole}),
        client.get("/v1/me", headers={"cookie": f"token={whole}"}),
        client.get("/v1/me", headers={"x-api-key": whole}),
        client.get("/v1/me", headers={"authorization": f"Basic {whole}"}),
        client.get("/v1/me", headers=[("authorization", f"Bearer {whole}"), ("authorization", f"Bearer {whole}")]),
    ):
        assert (await attempt).status_code == 401


async def test_every_scope_is_needed_and_the_answer_names_the_missing_one(
    client: httpx.AsyncClient, issued: Issue
) -> None:
    for scopes, status in ((["tenants:read"], 403), (["tenants:read", "usage:read"], 200), (["admin"], 200)):
        answer = await client.get("/v1/thing", headers=bearer(await issued(*scopes)))
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["error"]["code"] == "permission_denied"
            assert "usage:read" in answer.json()["error"]["message"]


async def test_a_customer_cannot_reach_the_token_api_nor_make_itself_admin(
    client: httpx.AsyncClient, issued: Issue, database: Database
) -> None:
    customer_id = uuid.uuid4()
    async with database.transaction() as session:
        session.add(Customer(id=customer_id, email="a@example.org"))
    token = await issued("tenants:write", kind=TokenKind.CUSTOMER, customer_id=customer_id)
    wanted = {"name": "x", "scopes": ["admin"]}
    assert (await client.get("/v1/admin/tokens", headers=bearer(token))).status_code == 403
    assert (await client.post("/v1/admin/tokens", headers=bearer(token), json=wanted)).status_code == 403
    assert (await client.delete(f"/v1/admin/tokens/{token.key}", headers=bearer(token))).status_code == 403
    admin = await issued("admin")
    wanted = {"kind": "customer", "name": "x", "scopes": ["admin"], "customer_id": str(customer_id)}
    answer = await client.post("/v1/admin/tokens", headers=bearer(admin), json=wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_scope")


async def test_no_refusal_writes_the_token_into_a_log_or_an_answer(
    client: httpx.AsyncClient, issued: Issue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, never = await issued("tenants:read"), issue(TokenKind.OPERATOR)
    answers = [
        await client.get(path, headers=bearer(token)) for token in (good, never) for path in ("/v1/me", "/v1/thing")
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 401, 401]
    told = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert good.secret not in told
    assert never.secret not in told


async def test_use_is_noted_once_a_minute(client: httpx.AsyncClient, issued: Issue, database: Database) -> None:
    token = await issued()

    async def noted() -> tuple[object, int]:
        async with database.transaction() as session:
            statement = text("SELECT last_used_at, xmin::text::bigint FROM api_tokens WHERE key = :key")
            row = (await session.execute(statement, {"key": token.key})).one()
            return row[0], row[1]

    assert (await noted())[0] is None
    await asyncio.gather(*(client.get("/v1/me", headers=bearer(token)) for _ in range(20)))
    first = await noted()
    assert first[0] is not None
    assert (await client.get("/v1/me", headers=bearer(token))).status_code == 200
    assert await noted() == first
    async with database.transaction() as session:
        await session.execute(update(ApiToken).values(last_used_at=utcnow() - timedelta(seconds=61)))
    await client.get("/v1/me", headers=bearer(token))
    assert (await noted())[0] > first[0]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/admin/tokens/%00"), ("DELETE", "/v1/admin/tokens/a%00b")],
)
async def test_a_nul_is_the_callers_fault(client: httpx.AsyncClient, issued: Issue, method: str, path: str) -> None:
    token = await issued("admin")
    answer = await client.request(method, path, headers={"authorization": f"Bearer {token.reveal()}"})
    assert answer.status_code in {404, 422}, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}
