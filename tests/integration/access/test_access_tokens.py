"""Issuing, listing and revoking tokens over HTTP and in code."""

from __future__ import annotations

import uuid
from datetime import timedelta

import httpx
import pytest
from starlette.requests import Request

from clawstack.errors import InvalidInputError, NotFoundError, TemporaryError
from clawstack.tokens import TokenKind, parse
from services.business.access.service import authenticate, issue_token, revoke
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.tables.billing import Customer
from services.tables.ledger import UsagePeriod
from services.tables.tenants import Tenant
from services.web.dependencies.callers import ApiAuthenticator
from tests.integration.access.conftest import Issue
from tests.integration.access.test_access_intrusion import bearer


async def test_a_token_made_over_http_works_is_listed_without_secret_and_ends(
    client: httpx.AsyncClient, issued: Issue
) -> None:
    admin = bearer(await issued("admin"))
    answer = await client.post("/v1/admin/tokens", headers=admin, json={"name": "ci", "scopes": ["usage:read"]})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    token = parse(answer.json()["token"], kind=TokenKind.OPERATOR)
    assert token is not None
    assert (await client.get("/v1/me", headers=bearer(token))).json()["scopes"] == ["usage:read"]

    listed = await client.get("/v1/admin/tokens", headers=admin)
    assert token.secret not in listed.text
    assert token.secret_hash() not in listed.text
    assert [row["name"] for row in listed.json() if row["key"] == token.key] == ["ci"]

    for _ in range(2):
        assert (await client.delete(f"/v1/admin/tokens/{token.key}", headers=admin)).status_code == 204
    assert (await client.get("/v1/me", headers=bearer(token))).status_code == 401
    assert (await client.delete("/v1/admin/tokens/nobody", headers=admin)).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": "x"},
        {"name": "", "scopes": ["admin"]},
        {"name": "x" * 101, "scopes": ["admin"]},
        {"name": "x\ny", "scopes": ["admin"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["admin"], "kind": "proxy"},
        {"name": "x", "scopes": ["admin"], "surprise": 1},
        {"name": "x", "scopes": ["admin"], "customer_id": str(uuid.uuid4())},
        {"name": "x", "scopes": ["tenants:read"], "kind": "customer"},
        {"name": "x", "scopes": ["tenants:read"], "kind": "customer", "customer_id": str(uuid.uuid4())},
        {"name": "x", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["admin"], "expires_at": "2099-01-01T00:00:00"},
    ],
)
async def test_a_wrong_wish_is_answered_422_and_makes_nothing(
    client: httpx.AsyncClient, issued: Issue, wanted: dict[str, object]
) -> None:
    admin = bearer(await issued("admin"))
    assert (await client.post("/v1/admin/tokens", headers=admin, json=wanted)).status_code == 422
    assert len((await client.get("/v1/admin/tokens", headers=admin)).json()) == 1


async def test_code_that_issues_a_wrong_token_is_told_why(database: Database) -> None:
    async with database.transaction() as session:
        with pytest.raises(InvalidInputError, match="not issued here"):
            await issue_token(session, TokenKind.PROXY, "x", ["admin"])
        with pytest.raises(InvalidInputError, match="everything cannot be granted"):
            await issue_token(session, TokenKind.OPERATOR, "x", ["everything"])
        with pytest.raises(InvalidInputError, match="future"):
            await issue_token(session, TokenKind.OPERATOR, "x", ["admin"], expires_at=utcnow() - timedelta(1))
        with pytest.raises(NotFoundError):
            await revoke(session, "nobody")


async def test_a_customer_principal_carries_its_customer(database: Database) -> None:
    customer_id = uuid.uuid4()
    async with database.transaction() as session:
        session.add(Customer(id=customer_id, email="a@example.org"))
        await session.flush()
        token = await issue_token(session, TokenKind.CUSTOMER, "portal", ["tenants:read"], customer_id)
        principal = await authenticate(session, token.reveal())
    assert (principal.kind, principal.customer_id) == ("customer", customer_id)
    assert principal.may_see(customer_id)
    assert not principal.may_see(uuid.uuid4())


async def test_a_customer_reads_the_usage_of_its_own_tenants_only(
    client: httpx.AsyncClient, issued: Issue, database: Database
) -> None:
    mine, theirs = uuid.uuid4(), uuid.uuid4()
    async with database.transaction() as session:
        session.add_all(Customer(id=customer, email=f"{customer}@example.org") for customer in (mine, theirs))
        await session.flush()
        for slug, customer in (("kim", mine), ("lee", mine), ("zoe", theirs)):
            tenant = Tenant(
                id=uuid.uuid4(), slug=slug, customer_id=customer, plan="starter", bundle="general", bundle_version="1",
                substrate="process", answers={}, desired_state="running",
            )  # fmt: skip
            session.add(tenant)
            await session.flush()
            session.add(UsagePeriod(tenant_id=tenant.id, period="2026-11", tokens_used=len(slug), cost_used=7))
    token = await issued("usage:read", kind=TokenKind.CUSTOMER, customer_id=mine)
    answer = await client.get("/v1/me/usage", headers=bearer(token), params={"period": "2026-11"})
    assert answer.status_code == 200, answer.text
    assert [(row["slug"], row["usage"]["tokens_used"]) for row in answer.json()["tenants"]] == [("kim", 3), ("lee", 3)]
    wrong = await client.get("/v1/me/usage", headers=bearer(token), params={"period": "November"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "bad_period")
    nobody = uuid.uuid4()
    async with database.transaction() as session:
        session.add(Customer(id=nobody, email="nobody@example.org"))
    empty = bearer(await issued("usage:read", kind=TokenKind.CUSTOMER, customer_id=nobody))
    assert (await client.get("/v1/me/usage", headers=empty)).json()["tenants"] == []
    assert (await client.get("/v1/me/usage?period=2026-13", headers=empty)).status_code == 422
    assert (await client.get("/v1/me/usage", headers=bearer(await issued("admin")))).status_code == 403
    lesser = await issued("tenants:read", kind=TokenKind.CUSTOMER, customer_id=mine)
    assert (await client.get("/v1/me/usage", headers=bearer(lesser))).status_code == 403


async def test_without_a_database_nobody_is_let_in(issued: Issue) -> None:
    token = await issued("admin")
    unreachable = Database("postgresql://nobody@127.0.0.1:1/nothing")
    scope = {"type": "http", "method": "GET", "path": "/", "headers": list(bearer(token).items())}
    with pytest.raises(TemporaryError):
        await ApiAuthenticator(unreachable).admit(Request(scope))
    await unreachable.close()
