"""From facts to what is wanted: pure, without order or memory, so that any storm of events ends like one refetch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from clawstack.plans import Catalogue, Period, Plan
from clawstack.vocabulary import Desired
from services.business.billing.facts import CustomerFacts, DisputeFact, PriceFact, SubscriptionFact

#: How a subscription without a wish is stored.
_WAIT: Final = "wait"


class Attention(StrEnum):
    """Codes of what an operator must look into."""

    UNKNOWN_PRICE = "unknown_price"
    UNKNOWN_STATUS = "unknown_status"
    NO_SIGNUP = "no_signup"
    UNKNOWN_SIGNUP = "unknown_signup"
    SIGNUP_TAKEN = "signup_taken"
    PAID_TWICE = "paid_twice"
    TENANT_GONE = "tenant_gone"
    """It is paid for, but its tenant was deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionVerdict:
    """What one subscription, or all of one tenant together, wants. `reason` is a sentence for the customer."""

    wanted: Desired | None
    """None: nothing is known that would justify a change. The tenant is left as it is, and none is built."""
    created: datetime
    plan: str | None = None
    period: Period | None = None
    reason: str | None = None
    attention: Attention | None = None
    disputed_at: datetime | None = None


#: What to tell the operator: what happened, why it stops here, what to do.
EXPLAINED: Final[dict[Attention, str]] = {
    Attention.UNKNOWN_PRICE: "It is subscribed at a price that is not in the catalogue, so nothing is given for it. "
    "Move it to a price of the catalogue at Stripe.",
    Attention.UNKNOWN_STATUS: "It has a status that this version does not know; its tenant is left as it is. "
    "Check for an update.",
    Attention.NO_SIGNUP: "It pays for a plan but names no sign-up, so nobody knows which assistant to build. "
    "Set its metadata signup_id at Stripe, or refund it.",
    Attention.UNKNOWN_SIGNUP: "It names a sign-up that this platform does not have. "
    "Correct its metadata signup_id at Stripe, or refund it.",
    Attention.SIGNUP_TAKEN: "It names a sign-up that another customer paid. "
    "Correct its metadata signup_id at Stripe, or refund it.",
    Attention.PAID_TWICE: "Two living subscriptions pay for one tenant. Cancel and refund one of them at Stripe.",
    Attention.TENANT_GONE: "It is paid, but its tenant is deleted or being deleted. "
    "Cancel and refund it at Stripe, or create a new tenant from the backup.",
}

GRACE: Final = "The last payment did not go through. Everything keeps running while the card is tried again."
UNPAID: Final = "Several payments did not go through. The assistant is paused until the open invoice is paid."
PAUSED: Final = "The subscription is paused."
DISPUTED: Final = "A payment is in dispute with the bank. The assistant is paused until that is settled."
ENDED: Final = "The subscription has ended."
NEVER_PAID: Final = "The first payment was not completed."

_BY_STATUS: Final[dict[str, tuple[Desired | None, str | None]]] = {
    "active": (Desired.RUNNING, None),
    "trialing": (Desired.RUNNING, None),
    "past_due": (Desired.RUNNING, GRACE),
    "unpaid": (Desired.SUSPENDED, UNPAID),
    "paused": (Desired.SUSPENDED, PAUSED),
    "canceled": (Desired.ABSENT, ENDED),
    "incomplete_expired": (Desired.ABSENT, NEVER_PAID),
    "incomplete": (None, None),
}
#: Disputes that are settled in our favour or were only a warning.
_HARMLESS_DISPUTES: Final = frozenset({"won", "warning_closed", "prevented"})
_RANK: Final[dict[Desired | None, int]] = {Desired.RUNNING: 3, Desired.SUSPENDED: 2, None: 1, Desired.ABSENT: 0}


def judge(subscription: SubscriptionFact, facts: CustomerFacts, catalogue: Catalogue) -> SubscriptionVerdict:
    """What this subscription wants, whatever was known before.

    An unknown price never gives anything (law 4: fail closed on money), but does not keep a cancellation from taking.
    """
    wanted, reason = _BY_STATUS.get(subscription.status, (None, None))
    attention = None if subscription.status in _BY_STATUS else Attention.UNKNOWN_STATUS
    if facts.deleted:
        wanted, reason = Desired.ABSENT, ENDED
    dispute = dispute_against(subscription, facts.disputes)
    if wanted is Desired.RUNNING and dispute is not None:
        wanted, reason = Desired.SUSPENDED, DISPUTED
    bought = plan_of(subscription.prices, catalogue)
    if bought is None and wanted is Desired.RUNNING:
        wanted, reason, attention = None, None, Attention.UNKNOWN_PRICE
    plan, period = bought or (None, None)
    return SubscriptionVerdict(
        wanted=wanted,
        created=subscription.created,
        plan=plan.key if plan else None,
        period=period,
        reason=reason,
        attention=attention,
        disputed_at=dispute.created if dispute else None,
    )


def combine(verdicts: Iterable[SubscriptionVerdict]) -> SubscriptionVerdict | None:
    """What all subscriptions of one tenant want together, None when there are none.

    The most alive one decides, so that ending one of two subscriptions destroys nothing that the other still pays for;
    among equals the newest, which is the one that a customer changed their mind to.
    """
    return max(verdicts, key=_precedence, default=None)


def _precedence(verdict: SubscriptionVerdict) -> tuple[int, datetime, str, str]:
    # Plan and reason only make the choice the same whatever order equals arrive in.
    return _RANK[verdict.wanted], verdict.created, verdict.plan or "", verdict.reason or ""


def stored_wish(wanted: Desired | None) -> str:
    """A verdict's wish as the subscription's row keeps it."""
    return _WAIT if wanted is None else wanted.value


def wish_of(stored: str) -> Desired | None:
    """The wish that a subscription's row keeps."""
    return None if stored == _WAIT else Desired(stored)


def plan_of(prices: tuple[PriceFact, ...], catalogue: Catalogue) -> tuple[Plan, Period] | None:
    """The plan and period that these prices pay for; None when none is ours, or more than one."""
    keys = {key for price in prices for key in (price.lookup_key, price.original_lookup_key) if key is not None}
    found = [bought for key in sorted(keys) if (bought := catalogue.plan_of_lookup_key(key)) is not None]
    return found[0] if len(found) == 1 else None


def dispute_against(subscription: SubscriptionFact, disputes: tuple[DisputeFact, ...]) -> DisputeFact | None:
    """The latest unsettled or lost dispute that this subscription must answer for.

    Stripe does not say which subscription a disputed charge belongs to without further calls; a dispute counts against
    every subscription of the customer that existed when it was opened, and not against one bought afterwards.
    """
    counting = (
        dispute
        for dispute in disputes
        if dispute.status not in _HARMLESS_DISPUTES and dispute.created >= subscription.created
    )
    return max(counting, key=lambda dispute: dispute.created, default=None)
