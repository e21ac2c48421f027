"""`/v1/me` for every caller, `/v1/admin/tokens` for operators."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from clawstack.tokens import TokenKind
from services.business.access import service
from services.business.access.schemas import IssuedToken, Me, MyUsage, Principal, Scope, TokenRequest, TokenView
from services.business.usage.service import usage_of_customer
from services.kit.http.intake import BoundedRoute
from services.web.api.parameters import Period
from services.web.dependencies.callers import requires
from services.web.dependencies.process import PlatformDep, SessionDep

router = APIRouter(route_class=BoundedRoute, tags=["access"])

_KINDS: Final = {"operator": TokenKind.OPERATOR, "customer": TokenKind.CUSTOMER}

Anyone = Annotated[Principal, requires()]
TokenKey = Annotated[str, Path(description="Public part of the token.")]
UsageReader = Annotated[Principal, requires(Scope.USAGE_READ)]
_FOR_ADMINS: Final = [requires(Scope.ADMIN)]


@router.get("/v1/me")
async def me(principal: Anyone) -> Me:
    """Who this token belongs to and what it may do."""
    return Me(
        key=principal.key,
        name=principal.name,
        kind=principal.kind,
        customer_id=principal.customer_id,
        scopes=sorted(principal.scopes),
    )


@router.get("/v1/me/usage")
async def my_usage(
    principal: UsageReader, session: SessionDep, platform: PlatformDep, period: Period = None
) -> MyUsage:
    """What the caller's tenants used in a month (`2026-11`, default the present one, UTC), by tenant and model."""
    return await usage_of_customer(session, principal, platform.catalogue, period)


@router.get("/v1/admin/tokens", dependencies=_FOR_ADMINS)
async def list_tokens(session: SessionDep) -> list[TokenView]:
    """All tokens, newest first."""
    return [TokenView.model_validate(row) for row in await service.list_tokens(session)]


@router.post("/v1/admin/tokens", status_code=201, dependencies=_FOR_ADMINS)
async def create_token(wanted: TokenRequest, session: SessionDep, response: Response) -> IssuedToken:
    """A new token. This answer is the only one that shows it."""
    response.headers["cache-control"] = "no-store"
    token = await service.issue_token(
        session, _KINDS[wanted.kind], wanted.name, wanted.scopes, wanted.customer_id, wanted.expires_at
    )
    return IssuedToken(token=token.reveal(), key=token.key)


@router.delete("/v1/admin/tokens/{key}", status_code=204, dependencies=_FOR_ADMINS)
async def revoke_token(key: TokenKey, session: SessionDep) -> None:
    """End a token at once."""
    await service.revoke(session, key)
