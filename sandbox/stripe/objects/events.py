"""Events and webhook endpoints."""

from __future__ import annotations

from sandbox.stripe.model.values import API_VERSION, Json, new_id


def event_object(
    *,
    kind: str,
    created: int,
    snapshot: Json,
    previous: Json | None,
    request: str | None,
    idempotency_key: str | None,
    pending: int,
) -> Json:
    """An event; `data.previous_attributes` only where something had a previous value."""
    data: Json = {"object": snapshot}
    if previous:
        data["previous_attributes"] = previous
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": data,
        "livemode": False,
        "pending_webhooks": pending,
        "request": {"id": request, "idempotency_key": idempotency_key},
        "type": kind,
    }


def endpoint_object(*, url: str, secret: str, enabled_events: list[str], created: int, metadata: Json) -> Json:
    """A webhook endpoint; the secret is shown only in the answer to its creation."""
    return {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": created,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": metadata,
        "status": "enabled",
        "url": url,
        "_secret": secret,
    }
