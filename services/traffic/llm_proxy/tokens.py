"""Proxy tokens of cells, for whoever provisions a cell. Only the hash of a token is stored."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import InvalidInputError, PermanentError
from clawstack.tokens import Token, TokenKind
from services.traffic.llm_proxy import repository


async def register_proxy_token(session: AsyncSession, tenant_id: uuid.UUID, token: Token) -> None:
    """Let `token` open the proxy for this tenant, from the commit on. Repeating it changes nothing.

    A revoked token that is registered again is valid again, so that an interrupted operation can be repeated; to
    rotate a token, put the new one into the vault before the old one is revoked.
    Raises InvalidInputError for another kind of token, PermanentError for a key that belongs to somebody else.
    """
    if token.kind is not TokenKind.PROXY:
        raise InvalidInputError(f"A {token.kind.value} token does not open the LLM proxy.", code="bad_token_kind")
    owner = await repository.upsert_token(session, key=token.key, secret_hash=token.secret_hash(), tenant_id=tenant_id)
    if owner != tenant_id:
        raise PermanentError(f"The proxy token {token.key} belongs to another tenant.", code="token_taken")


async def revoke_proxy_tokens(session: AsyncSession, tenant_id: uuid.UUID, *, keep: str | None = None) -> int:
    """End all of a tenant's tokens (but the one with the key `keep`); how many were open. Counts within a second."""
    return await repository.revoke_tokens(session, tenant_id, keep=keep)
