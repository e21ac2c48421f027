"""Access behind the factory's own application on a real database, beside one route that stands for any other noun's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter

from clawstack.tokens import Token, TokenKind
from services.business.access.schemas import Principal
from services.business.access.service import issue_token
from services.kit.context import Platform
from services.kit.database.connection import Database
from services.kit.parts import Part
from services.run.factory import create_app
from services.run.parts.access import create_part
from services.web.dependencies.callers import requires

Issue = Callable[..., Awaitable[Token]]

router = APIRouter()


@router.get("/v1/thing")
async def thing(principal: Annotated[Principal, requires("tenants:read", "usage:read")]) -> str:
    return principal.key


@pytest.fixture
def issued(database: Database) -> Issue:
    """Issues a token: `await issued("tenants:read", kind=..., customer_id=...)`."""

    async def make(*scopes: str, kind: TokenKind = TokenKind.OPERATOR, **rest: object) -> Token:
        async with database.transaction() as session:
            return await issue_token(session, kind, "test", scopes or ("tenants:read",), **rest)  # type: ignore[arg-type]

    return make


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to access."""
    app = create_app(platform, [create_part(platform), Part(name="thing", routers=(router,))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://platform") as client:
        yield client
