"""JSON of the public sign-up API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Word = Annotated[str, Field(max_length=100)]


class CheckoutOrder(BaseModel):
    """What a customer wants to buy. The same rules as on the sign-up page."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(max_length=320, examples=["parent@example.com"])]
    plan: Annotated[_Word, Field(examples=["starter"])]
    period: Annotated[_Word, Field(examples=["month"])] = "month"
    bundle: Annotated[_Word, Field(examples=["parenting"])]
    answers: Annotated[
        dict[_Word, Annotated[str, Field(max_length=1000)]],
        Field(max_length=40, examples=[{"child_name": "Emma", "child_birthday": "2025-09-14"}]),
    ] = Field(default_factory=dict)
    """What the bundle asks for."""


class CheckoutCreated(BaseModel):
    """Where to pay, and where to see what becomes of it. Both addresses are secrets of this sign-up."""

    signup_id: str
    checkout_url: str
    status_url: str
    welcome_url: str


class StepView(BaseModel):
    """One step."""

    label: str
    state: str
    details: tuple[str, ...]


class CheckoutStatus(BaseModel):
    """What became of a sign-up."""

    signup_id: str
    stage: str
    """`unpaid`, `building`, `live`, `paused`, `ended` or `attention`."""
    state: str
    """The tenant's state; before there is one: `awaiting_payment`, `expired`, `ended` or `needs_attention`."""
    title: str
    message: str
    steps: tuple[StepView, ...]
    chat_url: str | None
    """Opens the chat; present once the assistant is live."""
    checkout_url: str | None
    """The payment page, while it is still to be paid."""
