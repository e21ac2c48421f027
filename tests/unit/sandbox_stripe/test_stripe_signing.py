"""Signatures, checked by the official library."""

from __future__ import annotations

import json
import time

import pytest
import stripe

from sandbox.stripe.delivery.signing import signature_header

BODY = json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": {}}}, indent=2).encode()


def test_the_library_accepts_what_we_sign() -> None:
    header = signature_header(BODY, "whsec_a", int(time.time()))
    assert stripe.Webhook.construct_event(BODY, header, "whsec_a").id == "evt_1"


@pytest.mark.parametrize(
    ("body", "secret", "age"),
    [(BODY + b" ", "whsec_a", 0), (BODY, "whsec_b", 0), (BODY, "whsec_a", 400)],
    ids=["changed body", "other secret", "older than five minutes"],
)
def test_the_library_refuses_everything_else(body: bytes, secret: str, age: int) -> None:
    header = signature_header(BODY, "whsec_a", int(time.time()) - age)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, secret)
