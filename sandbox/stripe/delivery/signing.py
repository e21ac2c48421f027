"""The Stripe-Signature header: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">` (docs.stripe.com/webhooks/signature)."""

from __future__ import annotations

import hashlib
import hmac


def signature_header(body: bytes, secret: str, timestamp: int) -> str:
    """Signs the raw body. `timestamp` is real time: receivers compare it with their own clock."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
