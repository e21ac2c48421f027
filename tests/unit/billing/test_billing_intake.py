"""Only what Stripe signed for us, lately, gets in."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from services.business.billing import jobs
from services.business.billing.errors import MalformedEventError, SignatureRefusedError
from services.business.billing.stripe_events import ACTED_UPON, parse, verify

SECRET = "whsec_for_tests_only"


def body(**changes: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.subscription.updated",
        "created": 1_790_000_000,
        "livemode": False,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}},
    }
    return json.dumps(event | changes).encode()


def signature(payload: bytes, *, secret: str = SECRET, age: int = 0) -> str:
    stamp = int(time.time()) - age
    return str(stripe.WebhookSignature.generate_signature_header(payload.decode(), secret, stamp))


def test_a_signed_event_is_read() -> None:
    event = verify(body(), signature(body()), SECRET)
    assert (event.id, event.customer_id, event.acted_upon) == ("evt_1", "cus_1", True)
    assert event.created == datetime.fromtimestamp(1_790_000_000, UTC)
    assert event.body == body()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=1,v1=abc",
        "v1=abc",
        "t=abc,v1=def",
        "t=1790000000",
        "t=1790000000,v0=deadbeef",
        "t=" + "9" * 6000 + ",v1=a",
        "t=1790000000,v1=\u00e9\u00e9",
        "=,=,=",
    ],
)
def test_a_missing_or_malformed_signature_is_refused(header: str | None) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body(), header, SECRET)


def test_a_forged_body_is_refused() -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body(id="evt_2"), signature(body()), SECRET)


def test_a_signature_of_another_endpoint_is_refused() -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body(), signature(body(), secret="whsec_other"), SECRET)


def test_a_stale_signature_is_refused() -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body(), signature(body(), age=301), SECRET)


@pytest.mark.parametrize("secret", [None, "", "   ", "\t\n"])
def test_without_a_secret_nothing_gets_in_not_even_what_the_empty_key_signed(secret: str | None) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(body(), signature(body(), secret=secret or ""), secret)


def test_refusals_do_not_repeat_the_body() -> None:
    secret_body = body(data={"object": {"email": "parent@example.com"}})
    with pytest.raises(SignatureRefusedError) as refused:
        verify(secret_body, "t=1,v1=abc", SECRET)
    assert "parent@example.com" not in refused.value.sentence()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@given(st.binary(max_size=200))
def test_any_bytes_without_a_signature_are_refused_cleanly(payload: bytes) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(payload, "t=1790000000,v1=00", SECRET)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"{" * 100_000,
        body(id=7),
        body(id="evt 1; drop table"),
        body(type=None),
        body(created="yesterday"),
        body(created=10**30),
        body(data=[]).replace(b"[]", b'"x"'),
        b'{"id": "evt_1"}',
        b"\xff\xfe",
    ],
)
def test_a_body_that_is_no_event_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedEventError):
        parse(payload)


def test_a_thin_event_is_read_and_not_acted_upon() -> None:
    thin = {
        "id": "evt_test_65UZM",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
        "created": "2026-11-21T08:00:00.000Z",
        "related_object": {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"},
    }
    event = parse(json.dumps(thin).encode())
    assert (event.acted_upon, event.created) == (False, datetime(2026, 11, 21, 8, tzinfo=UTC))


def test_an_expanded_customer_is_found() -> None:
    event = parse(body(data={"object": {"id": "in_1", "customer": {"id": "cus_9", "object": "customer"}}}))
    assert event.customer_id == "cus_9"


def test_a_dispute_names_its_charge_and_is_resolved_by_a_job() -> None:
    dispute = {"id": "dp_1", "object": "dispute", "charge": "ch_1"}
    event = parse(body(type="charge.dispute.created", data={"object": dispute}))
    job = jobs.after(event)
    assert (event.customer_id, event.subject) == (None, "ch_1")
    assert job is not None
    assert (job.task, job.args["event_id"]) == ("billing.resolve_event", "evt_1")


def test_jobs_of_one_customer_share_their_lock() -> None:
    job = jobs.after(parse(body()))
    assert job is not None
    assert (job.task, job.lock, job.queueing_lock) == ("billing.refetch_customer", "customer:cus_1", "customer:cus_1")


def test_the_events_of_the_contract_are_acted_upon() -> None:
    named = {f"customer.subscription.{word}" for word in ("created", "updated", "deleted", "paused", "resumed")}
    named |= {f"invoice.{word}" for word in ("paid", "payment_succeeded", "payment_failed")}
    assert named | {"checkout.session.completed", "charge.dispute.created"} == ACTED_UPON
