"""`/v1/me` for every caller, `/v1/admin/tokens` for operators."""

# No `from __future__ import annotations` here: FastAPI could not resolve annotations that name the guard's closures.
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from clawstack.plans import Catalogue
from clawstack.tokens import TokenKind
from services.business.access import service
from services.business.access.schemas import IssuedToken, Me, MyUsage, Principal, Scope, TokenRequest, TokenView
from services.business.usage.service import usage_of_customer
from services.kit.database.connection import Database
from services.web.dependencies import Guard

_KINDS = {"operator": TokenKind.OPERATOR, "customer": TokenKind.CUSTOMER}


def create_router(*, database: Database, guard: Guard, catalogue: Catalogue) -> APIRouter:
    """The routes of access."""
    router = APIRouter(tags=["access"])
    anyone = Annotated[Principal, Depends(guard.requires())]
    usage_reader = Annotated[Principal, Depends(guard.requires(Scope.USAGE_READ))]
    admin = Depends(guard.requires(Scope.ADMIN))

    @router.get("/v1/me")
    async def me(principal: anyone) -> Me:
        """Who this token belongs to and what it may do."""
        return Me(
            key=principal.key,
            name=principal.name,
            kind=principal.kind,
            customer_id=principal.customer_id,
            scopes=sorted(principal.scopes),
        )

    @router.get("/v1/me/usage")
    async def my_usage(principal: usage_reader, period: str | None = None) -> MyUsage:
        """What the caller's tenants used in a month (`2026-11`, default the present one, UTC), by tenant and model."""
        async with database.transaction() as session:
            return await usage_of_customer(session, principal, catalogue, period)

    @router.get("/v1/admin/tokens", dependencies=[admin])
    async def list_tokens() -> list[TokenView]:
        """All tokens, newest first."""
        async with database.transaction() as session:
            return [TokenView.model_validate(row) for row in await service.list_tokens(session)]

    @router.post("/v1/admin/tokens", status_code=201, dependencies=[admin])
    async def create_token(wanted: TokenRequest, response: Response) -> IssuedToken:
        """A new token. This answer is the only one that shows it."""
        response.headers["cache-control"] = "no-store"
        async with database.transaction() as session:
            token = await service.issue_token(
                session, _KINDS[wanted.kind], wanted.name, wanted.scopes, wanted.customer_id, wanted.expires_at
            )
        return IssuedToken(token=token.reveal(), key=token.key)

    @router.delete("/v1/admin/tokens/{key}", status_code=204, dependencies=[admin])
    async def revoke_token(key: str) -> None:
        """End a token at once."""
        async with database.transaction() as session:
            await service.revoke(session, key)

    return router
