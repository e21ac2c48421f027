"""Borders of access: who calls, with which scopes, and what the token API takes and gives."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clawstack.errors import NotFoundError
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


class Me(BaseModel):
    """The answer of `/v1/me`."""

    key: str
    name: str
    kind: PrincipalKind
    customer_id: uuid.UUID | None
    scopes: list[str]


class TenantUsage(BaseModel):
    """What one of the caller's tenants used."""

    slug: str
    plan: str
    usage: Usage


class MyUsage(BaseModel):
    """The answer of `/v1/me/usage`."""

    period: str
    """Calendar month (UTC)."""
    tenants: list[TenantUsage]


class TokenView(BaseModel):
    """A token as it may be listed."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    kind: str
    name: str
    scopes: list[str]
    customer_id: uuid.UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """Exact to the minute."""


class TokenRequest(BaseModel):
    """What the token API takes."""

    model_config = ConfigDict(extra="forbid")

    kind: PrincipalKind = "operator"
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    customer_id: uuid.UUID | None = None
    expires_at: AwareDatetime | None = None


class IssuedToken(BaseModel):
    """A new token; the only answer that ever carries one."""

    token: str
    key: str
