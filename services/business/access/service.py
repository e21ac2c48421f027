"""Issuing, revoking and judging tokens of `/v1`. Works inside the caller's transaction."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import InvalidInputError, NotFoundError
from clawstack.tokens import Token, TokenKind, issue, parse
from services.business.access import repository
from services.business.access.errors import invalid_token
from services.business.access.schemas import CUSTOMER_SCOPES, Principal, PrincipalKind, Scope
from services.kit.database.base import utcnow
from services.tables.access import ApiToken

_KINDS: Final[dict[TokenKind, PrincipalKind]] = {TokenKind.OPERATOR: "operator", TokenKind.CUSTOMER: "customer"}
_LAST_USED_EVERY: Final = timedelta(minutes=1)  # one write a minute and token, however busy it is
_MAX_NAME: Final = 100


async def issue_token(
    session: AsyncSession,
    kind: TokenKind,
    name: str,
    scopes: Iterable[str],
    customer_id: uuid.UUID | None = None,
    expires_at: datetime | None = None,
) -> Token:
    """A new token; its secret is in the answer and nowhere else.

    Raises InvalidInputError for a name, scope, customer or expiry that does not fit the kind.
    """
    granted = sorted({str(scope) for scope in scopes})
    _check(kind=kind, name=name, scopes=granted, customer_id=customer_id, expires_at=expires_at)
    if customer_id is not None and not await repository.customer_exists(session, customer_id):
        raise InvalidInputError(f"There is no customer {customer_id}.", code="unknown_customer")
    token = issue(kind)
    row = ApiToken(
        key=token.key,
        kind=kind.value,
        secret_hash=token.secret_hash(),
        name=name,
        scopes=granted,
        customer_id=customer_id,
        expires_at=expires_at,
    )
    await repository.add(session, row)
    return token


async def revoke(session: AsyncSession, key: str) -> None:
    """End a token at once and for good; repeating it changes nothing. Raises NotFoundError for an unknown key."""
    if not await repository.mark_revoked(session, key):
        raise NotFoundError(
            f"There is no token with the key {key[:40]!r}.", remedy="`clawstack token list` shows the keys."
        )


async def list_tokens(session: AsyncSession) -> Sequence[ApiToken]:
    """All tokens, newest first, without secrets (there are none to tell)."""
    return await repository.newest_first(session)


async def authenticate(session: AsyncSession, presented: str, *, now: datetime | None = None) -> Principal:
    """Who presents this token; raises AuthenticationError, the same for every reason.

    Every call reads the token's row, so a revocation counts from its commit on.
    """
    token = _parse(presented)
    if token is None:
        raise invalid_token()
    now = now or utcnow()
    row = await repository.by_key(session, token.key)
    matches = token.matches(row.secret_hash if row is not None else None)  # same work for unknown keys
    if row is None or not matches or not hmac.compare_digest(row.kind, token.kind.value):
        raise invalid_token()
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        raise invalid_token()
    if row.last_used_at is None or row.last_used_at <= now - _LAST_USED_EVERY:
        await repository.mark_used(session, row.key, now=now, unless_since=now - _LAST_USED_EVERY)
    return Principal(
        key=row.key,
        name=row.name,
        kind=_KINDS[token.kind],
        customer_id=row.customer_id,
        scopes=frozenset(row.scopes),
    )


def _parse(presented: str) -> Token | None:
    return next((token for kind in _KINDS if (token := parse(presented, kind=kind)) is not None), None)


def _check(
    *, kind: TokenKind, name: str, scopes: list[str], customer_id: uuid.UUID | None, expires_at: datetime | None
) -> None:
    if kind not in _KINDS:
        raise InvalidInputError(f"{kind.value} tokens are not issued here.", code="bad_token_kind")
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidInputError(f"A token's name has 1 to {_MAX_NAME} printable characters.", code="bad_token_name")
    allowed = CUSTOMER_SCOPES if kind is TokenKind.CUSTOMER else frozenset(Scope)
    unknown = set(scopes) - {scope.value for scope in allowed}
    if unknown or not scopes:
        refused = ", ".join(sorted(unknown))[:200] or "An empty list"
        raise InvalidInputError(
            f"{refused} cannot be granted to a {_KINDS[kind]} token.",
            code="bad_scope",
            remedy=f"Choose from: {', '.join(sorted(allowed))}.",
        )
    if (kind is TokenKind.CUSTOMER) != (customer_id is not None):
        raise InvalidInputError(
            "A customer token names its customer, an operator token names none.", code="bad_customer"
        )
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= utcnow()):
        raise InvalidInputError("A token expires in the future, at a time with a time zone.", code="bad_expiry")
