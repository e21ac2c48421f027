"""Who calls, and from where: bearer token in, principal out, or 401/403."""

from __future__ import annotations

from typing import Annotated, Any

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
from services.kit.http.provided import find
from services.kit.limits.addresses import AddressLimiter
from services.kit.pages.origin import require_own_form
from services.web.dependencies.process import PlatformDep

log = get_logger(__name__)

#: Puts the scheme into the OpenAPI document. The header itself is read by `bearer_of`, which is stricter.
_SCHEME = HTTPBearer(auto_error=False, description="Token made by `clawstack token create`.")


class ApiAuthenticator:
    """Judges the bearer token of every request; nothing is cached, so a revocation counts at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, request: Request, *scopes: str) -> Principal:
        """The principal of `request`; raises AuthenticationError, PermissionDeniedError, TemporaryError (no database)."""
        presented = bearer_of(request)
        try:
            async with self._database.transaction() as session:
                principal = await authenticate(session, presented)
        except AuthenticationError:
            log.info("token refused", path=request.url.path[:200])
            raise
        for scope in scopes:
            if not principal.allows(scope):
                log.info("scope refused", key=principal.key, scope=scope)
                raise missing_scope(scope)
        return principal


async def _authenticator(platform: PlatformDep) -> ApiAuthenticator:
    return ApiAuthenticator(platform.database)


def requires(*scopes: str) -> Any:
    """A FastAPI dependency that gives the principal, or answers 401, or 403 when it lacks one of `scopes`.

    No scope given: any valid token will do.
    """

    async def principal_of(
        request: Request,
        authenticator: Annotated[ApiAuthenticator, Depends(_authenticator)],
        _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)] = None,
    ) -> Principal:
        return await authenticator.admit(request, *scopes)

    return Depends(principal_of)


def bearer_of(request: Request) -> str:
    """The request's bearer token; raises AuthenticationError when there is not exactly one."""
    token = bearer_token(request.headers.raw)
    if token is None:
        raise missing_token()
    return token


async def _own_form(request: Request, platform: PlatformDep) -> None:
    require_own_form(request.headers, base_url=platform.settings.base_url())


#: For routes that take a form: 403 when another site sent it in the visitor's name.
OWN_FORM = Depends(_own_form)


async def admit_signup(request: Request) -> None:
    """For `takes(before=...)`: counts an attempt to sign up from the address that the request came from."""
    await find(request, AddressLimiter).admit(request.client.host if request.client else None)
