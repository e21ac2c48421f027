"""The door for Stripe's events: who signed the raw bytes, and which customer they are about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import stripe

from services.business.billing.errors import MalformedEventError, SignatureRefusedError
from services.business.billing.schemas import moment, reference
from services.kit.http.bounded_json import JsonBounds, decode

#: Types that lead to a refetch (design document, public contract). All others are stored and acknowledged.
ACTED_UPON: Final = frozenset(
    {
        "checkout.session.completed",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
        "charge.dispute.created",
    }
)
#: Seconds that a signature stays good. Only a bound on replays: the event's id is what makes it count once.
TOLERANCE: Final = 300
#: An event with a subscription of a hundred items has ten thousand; Stripe nests expanded objects four deep.
_SHAPE: Final = JsonBounds(items=50_000, depth=64)
_REMEDY: Final = "Send the body as Stripe signed it, within five minutes, with this endpoint's signing secret."
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TYPE: Final = re.compile(r"[a-z0-9_.\[\]]{1,255}")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedEvent:
    """An event that Stripe signed. `subject` is the id of the object it is about, for events that name no customer."""

    id: str
    type: str
    created: datetime
    livemode: bool
    customer_id: str | None
    subject: str | None
    body: bytes

    @property
    def acted_upon(self) -> bool:
        """True when the customer is to be refetched."""
        return self.type in ACTED_UPON


def verify(body: bytes, signature: str | None, secret: str | None) -> VerifiedEvent:
    """The event in `body`; raises SignatureRefusedError or MalformedEventError, neither of which repeats the body.

    An unset or blank secret refuses everything: a signature made with an empty key can be forged by anyone.
    """
    if secret is None or not secret.strip():
        raise SignatureRefusedError(
            "Stripe events are refused because no signing secret is set.",
            remedy="Set CLAWSTACK_STRIPE_WEBHOOK_SECRET to the secret of the webhook endpoint.",
        )
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE)
    except stripe.SignatureVerificationError as error:
        reason = "no signature" if not signature else (error.user_message or "unknown").partition("(")[0].strip()
        raise SignatureRefusedError(f"The Stripe signature is refused: {reason}.", remedy=_REMEDY) from None
    except (UnicodeError, TypeError, ValueError):  # a body that is no text, or a header outside ASCII
        raise SignatureRefusedError("The Stripe signature is refused: it cannot be checked.") from None
    return parse(body)


def parse(body: bytes) -> VerifiedEvent:
    """The event in a body that is known to come from Stripe."""
    try:
        content = decode(body, _SHAPE)
        return _event(content, body)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, AttributeError, RecursionError):
        raise MalformedEventError("The signed body is not a Stripe event.") from None


def _event(content: dict[str, Any], body: bytes) -> VerifiedEvent:
    if _ID.fullmatch(content["id"]) is None or _TYPE.fullmatch(content["type"]) is None:
        raise ValueError("id or type has an unknown shape")
    created = content["created"]
    about = (content.get("data") or {}).get("object") or content.get("related_object") or {}
    return VerifiedEvent(
        id=content["id"],
        type=content["type"],
        created=moment(created) if isinstance(created, int) else _iso(created),  # thin events write a date
        livemode=bool(content.get("livemode", False)),
        customer_id=_customer_of(about),
        subject=_identifier(about.get("charge")) or _identifier(about.get("id")),
        body=body,
    )


def _customer_of(about: dict[str, Any]) -> str | None:
    if about.get("object") == "customer":
        return _identifier(about.get("id"))
    return _identifier(about.get("customer"))


def _identifier(value: Any) -> str | None:
    value = reference(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
