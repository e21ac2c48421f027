"""`POST /webhooks/stripe`: verify, store once, answer. What follows is a job's business."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request

from clawstack.errors import RequestError
from clawstack.logs import get_logger
from services.business.billing import stripe_events
from services.kit.http.intake import BoundedRoute, takes
from services.kit.http.openapi import refuses
from services.web.dependencies.process import PlatformDep
from services.web.dependencies.services import BillingDep

log = get_logger(__name__)

router = APIRouter(route_class=BoundedRoute, tags=["webhooks"])

#: Events have tens of kilobytes; subscriptions of many items have hundreds. Its shape is judged once its signature is.
_EVENT_BYTES: Final = 1024 * 1024


@router.post("/webhooks/stripe", responses=refuses(400))
@takes(max_bytes=_EVENT_BYTES, shape=None)
async def stripe_event(request: Request, platform: PlatformDep, billing: BillingDep) -> dict[str, bool]:
    """Receive an event that Stripe signed. Answered with 200 once it is stored, also when it was stored before."""
    secret = platform.settings.stripe_webhook_secret
    try:
        event = stripe_events.verify(
            await request.body(),
            request.headers.get("stripe-signature"),
            secret.get_secret_value() if secret is not None else None,
        )
    except RequestError as error:
        # Neither body nor header: what was not signed for us may be anything, and what was may be private.
        log.warning("stripe_event_refused", code=error.code, reason=error.message)
        raise
    async with platform.database.transaction() as session:  # over before the log says that the event is stored
        fresh = await billing.record(session, event)
    log.info("stripe_event_stored", event_id=event.id, type=event.type, duplicate=not fresh)
    return {"received": True, "duplicate": not fresh}
