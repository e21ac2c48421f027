"""Settings of one Stripe stand-in; all are fixed for the life of the process except where /_control says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from typing_extensions import override

from sandbox.frame.config import StandInConfig
from sandbox.frame.values import Json

DEFAULT_KEYS: Final = ("sk_test_clawstack",)


class AfterDunning(StrEnum):
    """What happens to a subscription when the last payment retry has failed (a Stripe account setting)."""

    CANCEL = "cancel"
    UNPAID = "unpaid"
    PAST_DUE = "past_due"


class BillingMode(StrEnum):
    """How new subscriptions are billed. Stripe's default is flexible; it changes what a portal cancellation looks like.

    flexible: the portal sets `cancel_at` and leaves `cancel_at_period_end` false. classic: both are set.
    Source: docs.stripe.com/billing/subscriptions/billing-mode/compare.
    """

    FLEXIBLE = "flexible"
    CLASSIC = "classic"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTarget:
    """Where events go and the secret that signs them."""

    url: str
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StripeConfig(StandInConfig):
    """What `create_app` needs. Durations are in seconds; `_days` in days of the stand-in's own clock.

    The account lives in `stripe.sqlite3` below `data`, without one in a new temporary folder.
    """

    api_keys: tuple[str, ...] = DEFAULT_KEYS
    """Only these are accepted. Every one must begin with `sk_test_` so that a real key can never be used by mistake."""
    public_url: str | None = None
    """Address people reach the pages at, e.g. `http://127.0.0.1:8800/stripe`; None takes it from each request."""
    webhook: WebhookTarget | None = None
    """Installed at start as a webhook endpoint for all events, replacing one with the same address."""
    retry_schedule: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    """Pauses between attempts of one delivery. Stripe's own intervals are unpublished and last up to three days."""
    delivery_timeout: float = 10.0
    dunning_days: tuple[float, ...] = (3.0, 5.0, 7.0)
    """Days from one failed payment of a renewal to the next attempt."""
    after_dunning: AfterDunning = AfterDunning.CANCEL
    billing_mode: BillingMode = BillingMode.FLEXIBLE
    draft_seconds: int = 3600
    """How long a renewal invoice stays a draft (so that overage can be added). Stripe waits about an hour."""
    tick: float = 1.0
    """How often the stand-in looks whether something became due in real time."""
    keep_events: int = 20_000
    keep_requests: int = 2_000
    keep_deliveries: int = 20_000
    account_id: str = "acct_1ClawstackSandbox"
    account_name: str = "clawstack (test mode)"
    card_declines: dict[str, str] = field(default_factory=dict)
    """Further card numbers (digits only) and the decline code each one gives, beside Stripe's own test cards."""

    def __post_init__(self) -> None:
        """Raises ValueError for a key that is not of test shape."""
        for key in self.api_keys:
            if not key.startswith("sk_test_"):
                message = "Every key of the Stripe stand-in must begin with sk_test_; it never takes a live key."
                raise ValueError(message)

    @override
    def addresses(self, root: str) -> Json:
        return {"stripe_api_base": root, "stripe_api_key": self.api_keys[0]}
