"""`/v1/tenants`, `/v1/operations` and backups through the factory's application, on a real database and engine."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from clawstack.tokens import Token, TokenKind
from services.business.access.service import issue_token
from services.business.tenants import streams
from services.business.tenants.watching import EventWatch
from services.kit.database.base import utcnow
from services.run.factory import create_app
from services.run.parts.backups import create_part as create_backups
from services.run.parts.provisioner import create_part
from services.tables.backups import Backup
from services.tables.billing import Customer
from services.tables.tenants import Tenant
from tests.integration.provisioner.rig import Rig, until
from tests.waiting import patient

ALL = ("tenants:read", "tenants:write", "operations:read", "usage:read")
As = Callable[..., Awaitable[dict[str, str]]]
#: Not drawn: it is part of tests' names, on which all workers of a run must agree.
_NOBODYS = "7d2f6a80-2f0c-4f7e-9c57-0d6d2b1d4a11"


@pytest.fixture
async def api(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(rig.platform, [create_part(rig.platform), create_backups(rig.platform)])
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
        yield client


@pytest.fixture
def bearer(rig: Rig) -> As:
    """Headers of an operator, or with `customer_id` of that customer."""

    async def headers(*scopes: str, customer_id: uuid.UUID | None = None) -> dict[str, str]:
        kind = TokenKind.OPERATOR if customer_id is None else TokenKind.CUSTOMER
        async with rig.platform.database.transaction() as session:
            token: Token = await issue_token(session, kind, "test", scopes or ALL, customer_id=customer_id)
        return {"authorization": f"Bearer {token.reveal()}"}

    return headers


async def customer(rig: Rig) -> uuid.UUID:
    async with rig.platform.database.transaction() as session:
        row = Customer(email=f"{uuid.uuid4().hex}@example.org")
        session.add(row)
        await session.flush()
        return row.id


async def test_an_operator_makes_changes_and_deletes_a_tenant(rig: Rig, api: httpx.AsyncClient, bearer: As) -> None:
    me = await bearer()
    body = {"plan": "starter", "bundle": "general", "name": "Émma's helper", "answers": {"preferred_name": "Emma"}}
    made = await api.post("/v1/tenants", json=body, headers=me)
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    assert slug.startswith("emma-s-helper-")
    assert (made.json()["state"], made.json()["converged"]) == ("pending", False)

    tenant_id = await id_of(rig, slug)
    await rig.reconciler().reconcile(tenant_id)
    shown = (await api.get(f"/v1/tenants/{slug}", headers=me)).json()
    assert (shown["state"], shown["converged"]) == ("healthy", True)

    for verb, wanted in (("suspend", "suspended"), ("suspend", "suspended"), ("resume", "running")):
        answer = await api.post(f"/v1/tenants/{slug}/{verb}", headers=me)
        assert answer.status_code == 202, answer.text
        assert answer.json()["tenant"]["desired_state"] == wanted
    again = await api.post(f"/v1/tenants/{slug}/resume", headers=me)
    assert again.json()["changed"] is False
    assert (await api.post(f"/v1/tenants/{slug}/restart", headers=me)).status_code == 202
    patched = await api.patch(
        f"/v1/tenants/{slug}", json={"plan": "pro", "settings": {"primary_model": "gpt-5"}}, headers=me
    )
    assert patched.status_code == 200, patched.text
    assert patched.json()["tenant"]["settings"] == {"primary_model": "gpt-5"}
    usage = await api.get(f"/v1/tenants/{slug}/usage", headers=me)
    assert usage.json()["tokens_limit"] == 20_000_000
    assert (await api.get(f"/v1/tenants/{slug}/logs", headers=me)).json() == {"lines": []}
    reset = await api.post(f"/v1/tenants/{slug}/reset", headers=me)
    assert (reset.status_code, reset.json()["error"]["code"]) == (409, "reset_unavailable")

    gone = await api.delete(f"/v1/tenants/{slug}", headers=me)
    assert (gone.status_code, gone.json()["tenant"]["desired_state"]) == (202, "absent")
    refused = await api.post(f"/v1/tenants/{slug}/suspend", headers=me)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tenant_deleted")
    await rig.reconciler("worker-2").reconcile(tenant_id)
    assert (await api.get("/v1/tenants", headers=me)).json()["total"] == 0
    listed = (await api.get("/v1/tenants?state=deleted", headers=me)).json()
    assert [item["slug"] for item in listed["items"]] == [slug]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/tenants/No_Slug!", None, 422, "invalid_slug"),
        ("GET", f"/v1/tenants/{'a' * 200}", None, 422, "invalid_slug"),
        ("GET", "/v1/tenants/..%2f..%2fetc", None, 404, "not_found"),
        ("GET", "/v1/tenants/nobody-there", None, 404, "not_found"),
        ("GET", "/v1/tenants?limit=100000", None, 422, "invalid_input"),
        ("GET", "/v1/tenants?state=happy", None, 422, "invalid_input"),
        ("POST", "/v1/tenants", {"plan": "gold", "bundle": "general"}, 422, "unknown_plan"),
        ("POST", "/v1/tenants", {"plan": "starter", "bundle": "nope"}, 422, "unknown_bundle"),
        ("POST", "/v1/tenants", {"plan": "starter", "bundle": "general", "colour": "red"}, 422, "invalid_input"),
        ("POST", "/v1/tenants", {"plan": "starter", "bundle": "parenting"}, 422, None),
        (
            "POST",
            "/v1/tenants",
            {"plan": "starter", "bundle": "general", "substrate": "server"},
            422,
            "substrate_not_in_plan",
        ),
        (
            "POST",
            "/v1/tenants",
            {"plan": "starter", "bundle": "general", "customer_id": str(uuid.uuid4())},
            422,
            "unknown_customer",
        ),
        ("GET", "/v1/operations/not-an-id", None, 422, "invalid_input"),
        ("GET", f"/v1/operations/{_NOBODYS}", None, 404, "not_found"),
        ("POST", f"/v1/operations/{_NOBODYS}/cancel", None, 404, "not_found"),
    ],
)
async def test_bad_requests_get_a_clear_answer_and_change_nothing(
    rig: Rig, api: httpx.AsyncClient, bearer: As, method: str, path: str, body: object, status: int, code: str | None
) -> None:
    answer = await api.request(method, path, json=body, headers=await bearer())
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert code is None or error["code"] == code
    assert await rig.count(Tenant) == 0


async def test_a_customer_sees_only_its_own_and_decides_nothing_that_is_paid_for(
    rig: Rig, api: httpx.AsyncClient, bearer: As
) -> None:
    mine, others = await customer(rig), await customer(rig)
    own, foreign = await rig.create(customer_id=mine), await rig.create(customer_id=others)
    me = await bearer(customer_id=mine)
    assert [item["slug"] for item in (await api.get("/v1/tenants", headers=me)).json()["items"]] == [own.slug]
    for path in ("", "/logs", "/events", "/usage", "/backups"):
        assert (await api.get(f"/v1/tenants/{foreign.slug}{path}", headers=me)).status_code == 404
        assert (await api.get(f"/v1/tenants/{own.slug}{path}", headers=me)).status_code == 200
    for method, path in (("POST", "/suspend"), ("POST", "/resume"), ("DELETE", "")):
        answer = await api.request(method, f"/v1/tenants/{own.slug}{path}", headers=me)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "operators_only")
        assert (await api.request(method, f"/v1/tenants/{foreign.slug}{path}", headers=me)).status_code == 404
    upgrade = await api.patch(f"/v1/tenants/{own.slug}", json={"plan": "business"}, headers=me)
    assert upgrade.status_code == 403
    model = await api.patch(f"/v1/tenants/{own.slug}", json={"settings": {"primary_model": "gpt-5"}}, headers=me)
    assert (model.status_code, model.json()["error"]["code"]) == (422, "model_not_in_plan")
    assert (await api.post(f"/v1/tenants/{own.slug}/restart", headers=me)).status_code == 202
    create = await api.post("/v1/tenants", json={"plan": "starter", "bundle": "general"}, headers=me)
    assert create.status_code == 403
    reader = await bearer("tenants:read")
    assert (await api.post(f"/v1/tenants/{own.slug}/restart", headers=reader)).status_code == 403
    assert (await api.get("/v1/tenants")).status_code == 401


async def test_events_are_streamed_while_they_happen_and_resumed(rig: Rig, api: httpx.AsyncClient, bearer: As) -> None:
    me = await bearer()
    tenant = await rig.create()
    hold = rig.probe.hold("create", tenant.slug)
    run = asyncio.create_task(rig.reconciler().reconcile(tenant.id))
    await until(lambda: rig.probe.begun("create", tenant.slug))
    (operation,) = (await api.get(f"/v1/operations?tenant={tenant.slug}", headers=me)).json()["items"]
    assert operation["status"] == "running"
    listening = asyncio.create_task(api.get(f"/v1/operations/{operation['id']}/events", headers=me))
    await asyncio.sleep(0)
    hold.unlink()
    await run
    stream = await asyncio.wait_for(listening, patient(20))
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = parsed(stream.text)
    assert [event["id"] for event in events] == [str(number) for number in range(1, len(events) + 1)]
    assert events[-1]["event"] == "finished"
    assert json.loads(events[-1]["data"])["data"] == {"status": "succeeded"}

    rest = await api.get(f"/v1/operations/{operation['id']}/events", headers={**me, "last-event-id": "3"})
    assert [event["id"] for event in parsed(rest.text)] == [event["id"] for event in events[3:]]
    plain = await api.get(f"/v1/operations/{operation['id']}/events", headers={**me, "accept": "application/json"})
    assert [event["sequence"] for event in plain.json()] == list(range(1, len(events) + 1))
    listed = await api.get(f"/v1/tenants/{tenant.slug}/events", headers=me)
    assert [event["kind"] for event in listed.json()] == [event["event"] for event in events]
    over = await api.post(f"/v1/operations/{operation['id']}/cancel", headers=me)
    assert (over.status_code, over.json()["error"]["code"]) == (409, "operation_finished")

    following = streams.tenant_stream(EventWatch(rig.platform.database), tenant.id, after=0)
    first = await anext(following)
    assert first.event == "started"
    await following.aclose()  # type: ignore[attr-defined]


async def test_logs_come_without_the_cells_secrets(rig: Rig, api: httpx.AsyncClient, bearer: As) -> None:
    tenant = await rig.create()
    await rig.reconciler().reconcile(tenant.id)
    async with rig.platform.database.transaction() as session:
        secret = await rig.platform.vault.get(session, tenant.id, "gateway_token")
    assert secret is not None
    log = rig.platform.settings.data_dir / "cells" / tenant.slug / "logs" / "gateway.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(500)) + f"connected with {secret}\n")
    rig.platform.redactor._lengths.clear()
    answer = await api.get(f"/v1/tenants/{tenant.slug}/logs?lines=2", headers=await bearer())
    assert answer.json() == {"lines": ["line 499", "connected with [secret]"]}


async def test_backups_are_listed_without_their_place(rig: Rig, api: httpx.AsyncClient, bearer: As) -> None:
    tenant = await rig.create()
    async with rig.platform.database.transaction() as session:
        session.add(
            Backup(
                tenant_id=tenant.id,
                location=f"/var/somewhere/{tenant.slug}/one.tar.gz.enc",
                sha256="0" * 64,
                size=10,
                reason="destroy",
                verified_at=utcnow(),
            )
        )
    answer = await api.get(f"/v1/tenants/{tenant.slug}/backups", headers=await bearer())
    assert answer.json()["total"] == 1
    assert answer.json()["items"][0]["name"] == "one.tar.gz.enc"
    assert "/var/somewhere" not in answer.text


async def id_of(rig: Rig, slug: str) -> uuid.UUID:
    from services.business.tenants.repository import by_slug

    async with rig.platform.database.transaction() as session:
        tenant = await by_slug(session, slug)
        assert tenant is not None
        return tenant.id


def parsed(body: str) -> list[dict[str, str]]:
    blocks = [block for block in body.replace("\r\n", "\n").split("\n\n") if "data:" in block]
    return [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]
