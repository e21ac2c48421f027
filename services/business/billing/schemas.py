"""Stripe's answers as far as they are used. Unknown fields are ignored: Stripe adds some every month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.business.billing.facts import DisputeFact, PriceFact, SessionFact, SubscriptionFact

#: Metadata key on prices, which survives when a lookup key moves to a new price.
LOOKUP_KEY_METADATA: Final = "clawstack_lookup_key"
SIGNUP_METADATA: Final = "signup_id"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _WithMetadata(_Answer):
    metadata: dict[str, str] = Field(default_factory=dict)

    @field_validator("metadata", mode="before")
    @classmethod
    def _absent_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value


class _Price(_WithMetadata):
    id: str
    lookup_key: str | None = None

    def fact(self) -> PriceFact:
        original = self.metadata.get(LOOKUP_KEY_METADATA)
        return PriceFact(id=self.id, lookup_key=self.lookup_key, original_lookup_key=original)


class _Item(_Answer):
    id: str
    price: _Price
    current_period_end: int | None = None


class _Items(_Answer):
    data: tuple[_Item, ...] = ()


class SubscriptionAnswer(_WithMetadata):
    """A subscription with its items' prices. Since API version 2025-03-31 the period belongs to the item."""

    id: str
    customer: str
    status: str
    created: int
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    items: _Items = Field(default_factory=_Items)

    @field_validator("customer", mode="before")
    @classmethod
    def _customer_id(cls, value: Any) -> Any:
        return reference(value)

    def fact(self) -> SubscriptionFact:
        """Reduced to what decides."""
        ends = [item.current_period_end for item in self.items.data if item.current_period_end is not None]
        return SubscriptionFact(
            id=self.id,
            customer_id=self.customer,
            status=self.status,
            created=moment(self.created),
            prices=tuple(item.price.fact() for item in self.items.data),
            item_ids=tuple(item.id for item in self.items.data),
            signup_id=self.metadata.get(SIGNUP_METADATA),
            current_period_end=moment(min(ends)) if ends else None,
            ends_at_period_end=self.cancel_at_period_end or self.cancel_at is not None,
        )


class _CustomerDetails(_Answer):
    email: str | None = None


class SessionAnswer(_WithMetadata):
    """A Checkout Session."""

    id: str
    status: str | None = None
    payment_status: str
    customer: str | None = None
    subscription: str | None = None
    customer_email: str | None = None
    customer_details: _CustomerDetails | None = None
    url: str | None = None

    @field_validator("customer", "subscription", mode="before")
    @classmethod
    def _ids(cls, value: Any) -> Any:
        return reference(value)

    def fact(self) -> SessionFact:
        """Reduced to what decides."""
        details = self.customer_details
        return SessionFact(
            id=self.id,
            status=self.status,
            payment_status=self.payment_status,
            customer_id=self.customer,
            subscription_id=self.subscription,
            signup_id=self.metadata.get(SIGNUP_METADATA),
            email=(details.email if details else None) or self.customer_email,
        )


class CustomerAnswer(_Answer):
    """A customer; a deleted one has nothing but its id."""

    id: str
    deleted: bool = False
    email: str | None = None
    name: str | None = None


class ChargeAnswer(_Answer):
    """A charge."""

    id: str
    customer: str | None = None
    disputed: bool = False

    @field_validator("customer", mode="before")
    @classmethod
    def _customer_id(cls, value: Any) -> Any:
        return reference(value)


class DisputeAnswer(_Answer):
    """A dispute of one charge."""

    id: str
    status: str
    created: int

    def fact(self) -> DisputeFact:
        """Reduced to what decides."""
        return DisputeFact(id=self.id, status=self.status, created=moment(self.created))


class PriceAnswer(_WithMetadata):
    """A price of our own catalogue."""

    id: str
    active: bool
    currency: str
    unit_amount: int | None = None
    lookup_key: str | None = None
    product: str

    @field_validator("product", mode="before")
    @classmethod
    def _product_id(cls, value: Any) -> Any:
        return reference(value)


def reference(value: Any) -> Any:
    """The id of a field that Stripe may have expanded into the whole object."""
    return value.get("id") if isinstance(value, dict) else value


def moment(seconds: int) -> datetime:
    """Stripe's whole seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
