"""JSON of the public sign-up API."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from services.kit.http.shape import Shape

_Word = Annotated[str, Field(max_length=100)]


class CheckoutOrder(Shape):
    """What a customer wants to buy. The same rules as on the sign-up page."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(max_length=320, examples=["parent@example.com"])]
    """Where the customer is written to."""
    plan: Annotated[_Word, Field(examples=["starter"])]
    """Name of a plan in the catalogue."""
    period: Annotated[_Word, Field(examples=["month"])] = "month"
    """How often it is paid: `month` or `year`."""
    bundle: Annotated[_Word, Field(examples=["parenting"])]
    """Name of a bundle: the persona that the assistant has."""
    answers: Annotated[
        dict[_Word, Annotated[str, Field(max_length=1000)]],
        Field(max_length=40, examples=[{"child_name": "Emma", "child_birthday": "2025-09-14"}]),
    ] = Field(default_factory=dict)
    """What the bundle asks for."""


class CheckoutCreated(Shape):
    """Where to pay, and where to see what becomes of it. Both addresses are secrets of this sign-up."""

    signup_id: str
    """Identifier of the sign-up; who knows it can see it."""
    checkout_url: str
    """Where to pay."""
    status_url: str
    """Where programs ask what became of it."""
    welcome_url: str
    """Where people see what becomes of it."""


class StepView(Shape):
    """One step."""

    label: str
    """What is done in this step."""
    state: str
    """How far it is."""
    details: tuple[str, ...]
    """More about it, in sentences."""


class CheckoutStatus(Shape):
    """What became of a sign-up."""

    signup_id: str
    """Identifier of the sign-up."""
    stage: str
    """`unpaid`, `building`, `live`, `paused`, `ended` or `attention`."""
    state: str
    """The tenant's state; before there is one: `awaiting_payment`, `expired`, `ended` or `needs_attention`."""
    title: str
    """What became of it, in a few words for people."""
    message: str
    """The same in a sentence or two."""
    steps: tuple[StepView, ...]
    """What is done until the assistant is live."""
    chat_url: str | None
    """Opens the chat; present once the assistant is live."""
    checkout_url: str | None
    """The payment page, while it is still to be paid."""
