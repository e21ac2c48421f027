"""The webhook's door, with really signed bodies through the real route."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from services.run.context import ProcessPlatform
from services.tables.billing import StripeEvent
from tests.integration.billing.world import SECRET, StandIn, World, event, opened_world


async def test_a_signed_event_is_stored_with_its_raw_body(world: World) -> None:
    body = json.dumps(event(), indent=3).encode()
    answer = await world.post_event(body)
    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    (row,) = await world.events()
    assert (row.id, row.body, row.stripe_customer_id) == ("evt_test_1", body, "cus_1")
    assert row.handled_at is None


async def test_a_replay_is_acknowledged_and_changes_nothing(world: World) -> None:
    await world.post_event(event())
    answer = await world.post_event(event())
    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    assert await world.count(StripeEvent) == 1
    assert len(await world.jobs("billing.refetch_customer")) == 1


async def test_fifty_identical_events_at_once_are_one_row_and_one_job(world: World) -> None:
    once = json.dumps(event()).encode()
    answers = await asyncio.gather(*(world.post_event(once) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(not answer.json()["duplicate"] for answer in answers) == 1
    assert await world.count(StripeEvent) == 1
    assert len(await world.jobs("billing.refetch_customer")) == 1


async def test_different_events_of_one_customer_collapse_into_one_waiting_job(world: World) -> None:
    answers = await asyncio.gather(*(world.post_event(event(id=f"evt_{n}")) for n in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert await world.count(StripeEvent) == 20
    assert len(await world.jobs("billing.refetch_customer", status="todo")) == 1


async def _refused(world: World, answer: httpx.Response) -> None:
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_signature"
    assert await world.count(StripeEvent) == 0
    assert await world.jobs("billing.refetch_customer") == []


async def test_an_unsigned_event_is_refused(world: World) -> None:
    await _refused(world, await world.http.post("/webhooks/stripe", json=event()))


async def test_a_malformed_signature_is_refused(world: World) -> None:
    header = {"stripe-signature": "t=now,v1=zz"}
    await _refused(world, await world.http.post("/webhooks/stripe", json=event(), headers=header))


async def test_a_stale_signature_is_refused(world: World) -> None:
    await _refused(world, await world.post_event(event(), age=301))


async def test_a_signature_with_another_secret_is_refused(world: World) -> None:
    await _refused(world, await world.post_event(event(), secret="whsec_somebody_else"))


async def test_a_changed_body_is_refused(world: World) -> None:
    signed = await world.post_event(event())
    header = signed.request.headers["stripe-signature"]
    forged = json.dumps(event(id="evt_forged")).encode()
    answer = await world.http.post("/webhooks/stripe", content=forged, headers={"stripe-signature": header})
    assert answer.status_code == 400
    assert [row.id for row in await world.events()] == ["evt_test_1"]


@pytest.mark.parametrize("secret", [None, "", "  "])
async def test_without_a_secret_the_door_is_shut(
    platform: ProcessPlatform, stripe_stand_in: StandIn, secret: str | None
) -> None:
    async with opened_world(platform, stripe_stand_in, stripe_webhook_secret=secret) as world:
        await _refused(world, await world.post_event(event(), secret=secret or ""))
        await _refused(world, await world.post_event(event(), secret=SECRET))


async def test_refusals_are_logged_without_the_body(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.http.post(
        "/webhooks/stripe", json=event(customer="cus_private"), headers={"stripe-signature": "t=1,v1=a"}
    )
    logged = "".join(capsys.readouterr())
    assert "stripe_event_refused" in logged
    assert "cus_private" not in logged


async def test_an_unknown_type_is_stored_and_acknowledged(world: World) -> None:
    answer = await world.post_event(event("treasury.something.new"))
    assert answer.status_code == 200
    (row,) = await world.events()
    assert (row.outcome, row.handled_at is None) == ("ignored", False)
    assert await world.jobs("billing.refetch_customer") == []


async def test_a_thin_event_is_stored_and_acknowledged(world: World) -> None:
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
        "created": "2026-11-21T08:00:00Z",
        "related_object": {"id": "sub_1", "type": "subscription"},
    }
    assert (await world.post_event(thin)).status_code == 200
    assert [row.outcome for row in await world.events()] == ["ignored"]


@pytest.mark.parametrize("body", [b"{}", b"not json", b"[1]", b'{"id": 1, "type": 2, "created": 3}'])
async def test_a_signed_body_that_is_no_event_is_refused(world: World, body: bytes) -> None:
    answer = await world.post_event(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_event")
    assert await world.count(StripeEvent) == 0


async def test_a_huge_body_is_refused_unread(world: World) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=world.url) as inside:
        answer = await inside.post(
            "/webhooks/stripe", content=b"x" * 10_000_000, headers={"stripe-signature": "t=1,v1=a"}
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")
    assert await world.count(StripeEvent) == 0
