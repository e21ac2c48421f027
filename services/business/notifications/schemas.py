"""A message on its way to a person."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum


class Audience(StrEnum):
    """Who is to read it."""

    CUSTOMER = "customer"
    OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that can be sent as it is."""

    id: uuid.UUID
    """The same at every attempt: a sender that can, drops repetitions by it."""
    audience: Audience
    address: str | None
    """The customer's e-mail address; None for operators and for customers that have none."""
    kind: str
    subject: str
    body: str
