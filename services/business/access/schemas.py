"""Borders of access: who calls, with which scopes, and what the token API takes and gives."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from clawstack.errors import NotFoundError
from services.kit.http.shape import Shape
from services.traffic.ledger.schemas import Usage

PrincipalKind = Literal["operator", "customer"]


class Scope(StrEnum):
    """What a token may do. A scope not listed here is never granted."""

    TENANTS_READ = "tenants:read"
    TENANTS_WRITE = "tenants:write"
    OPERATIONS_READ = "operations:read"
    USAGE_READ = "usage:read"
    BILLING_WRITE = "billing:write"
    ADMIN = "admin"
    """Implies all others and opens `/v1/admin`; for operators only."""


#: What a customer's token can hold at most.
CUSTOMER_SCOPES: Final = frozenset(Scope) - {Scope.ADMIN}


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The one who calls: an authenticated token, without its secret."""

    key: str
    name: str
    kind: PrincipalKind
    customer_id: uuid.UUID | None
    """The customer whose things it may see; None for an operator, who sees all."""
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        """True when the token holds `scope` or `admin`."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_see(self, customer_id: uuid.UUID | None) -> bool:
        """True when what belongs to this customer is the principal's to see."""
        return self.kind == "operator" or (self.customer_id is not None and self.customer_id == customer_id)

    def require_sight(self, customer_id: uuid.UUID | None, *, what: str) -> None:
        """Raises the NotFoundError of an absent thing, so that nobody learns what others own. `what`: "tenant x"."""
        if not self.may_see(customer_id):
            raise NotFoundError(f"There is no {what}.")


#: Whoever runs the command on the platform's own machine: its data folder and master key are open to them anyhow.
AT_THE_TERMINAL: Final = Principal(
    key="", name="at the terminal", kind="operator", customer_id=None, scopes=frozenset({Scope.ADMIN})
)


class Me(Shape):
    """The answer of `/v1/me`."""

    key: str
    """Public part of the token."""
    name: str
    """What its maker called it."""
    kind: PrincipalKind
    """Whether an operator or a customer holds it."""
    customer_id: uuid.UUID | None
    """The customer whose things it may see; None for operators, who see all."""
    scopes: list[str]
    """What it may do."""


class TenantUsage(Shape):
    """What one of the caller's tenants used."""

    slug: str
    """The tenant's slug."""
    plan: str
    """Name of its plan."""
    usage: Usage
    """What it used, and what its plan allows."""


class MyUsage(Shape):
    """The answer of `/v1/me/usage`."""

    period: str
    """Calendar month (UTC)."""
    tenants: list[TenantUsage]
    """One entry for each of the caller's tenants."""


class TokenView(Shape):
    """A token as it may be listed."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    """Public part of the token; names it when it is revoked."""
    kind: str
    """Whom it is for."""
    name: str
    """What its maker called it."""
    scopes: list[str]
    """What it may do."""
    customer_id: uuid.UUID | None
    """The customer whom it belongs to; None for operators."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None
    """When it ends by itself; None: never."""
    revoked_at: datetime | None
    """When it was ended; None: it was not."""
    last_used_at: datetime | None
    """Exact to the minute."""


class TokenRequest(Shape):
    """What the token API takes."""

    model_config = ConfigDict(extra="forbid")

    kind: PrincipalKind = "operator"
    """Whom the token is for."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """What it is for, in your words."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    """What it may do; a scope not listed here is not granted."""
    customer_id: uuid.UUID | None = None
    """The customer whose things it may see; needed for a customer's token, and only there."""
    expires_at: AwareDatetime | None = None
    """When it shall end by itself, with its zone; None: never."""


class IssuedToken(Shape):
    """A new token; the only answer that ever carries one."""

    token: str
    """The whole token, shown this once."""
    key: str
    """Its public part."""
