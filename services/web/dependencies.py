"""The dependency that opens `/v1`: bearer token in, principal out, or 401/403."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from clawstack.errors import AuthenticationError
from clawstack.logs import get_logger
from services.business.access.errors import missing_scope, missing_token
from services.business.access.schemas import Principal
from services.business.access.service import authenticate
from services.kit.database.connection import Database
from services.kit.http.bearer import bearer_token

#: Puts the scheme into the OpenAPI document. The header itself is read by `bearer_of`, which is stricter.
_SCHEME = HTTPBearer(auto_error=False, description="Token made by `clawstack token create`.")

RequirePrincipal = Callable[..., Awaitable[Principal]]


class Guard:
    """Judges the bearer token of every request; nothing is cached, so a revocation counts at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._log = get_logger(__name__)

    def requires(self, *scopes: str) -> RequirePrincipal:
        """A FastAPI dependency that gives the principal, or answers 401, or 403 when it lacks one of `scopes`.

        No scope given: any valid token will do.
        """

        async def principal_of(
            request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)] = None
        ) -> Principal:
            return await self.admit(request, *scopes)

        return principal_of

    async def admit(self, request: Request, *scopes: str) -> Principal:
        """The principal of `request`; raises AuthenticationError, PermissionDeniedError, TemporaryError (no database)."""
        presented = bearer_of(request)
        try:
            async with self._database.transaction() as session:
                principal = await authenticate(session, presented)
        except AuthenticationError:
            self._log.info("token refused", path=request.url.path[:200])
            raise
        for scope in scopes:
            if not principal.allows(scope):
                self._log.info("scope refused", key=principal.key, scope=scope)
                raise missing_scope(scope)
        return principal


def bearer_of(request: Request) -> str:
    """The request's bearer token; raises AuthenticationError when there is not exactly one."""
    token = bearer_token(request.headers.raw)
    if token is None:
        raise missing_token()
    return token
