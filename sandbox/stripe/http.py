"""What pages, control and API share about HTTP requests."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse

from sandbox.stripe.account import Account
from sandbox.stripe.values import Json

MAX_BODY = 1_000_000


def base_of(request: Request, account: Account) -> str:
    """Prefix of the stand-in's own addresses, mount path included, without a slash at the end."""
    if account.config.public_url:
        return account.config.public_url.rstrip("/")
    host = request.headers.get("host", "127.0.0.1")
    return f"{request.url.scheme}://{host}{request.scope.get('root_path', '')}".rstrip("/")


def path_below(request: Request) -> str:
    """The path below the mount point."""
    path: str = request.scope["path"]
    root: str = request.scope.get("root_path", "")
    return path.removeprefix(root) or "/"


async def json_body(request: Request) -> Json:
    """The JSON object of a control request; empty body means {}. Raises ValueError for anything else."""
    raw = await request.body()
    if not raw:
        return {}
    body = json.loads(raw[:MAX_BODY])
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - the caller's input, not a type error
    return body


def problem(message: str, status: int = 400) -> JSONResponse:
    """A refusal of the control interface."""
    return JSONResponse({"error": message}, status_code=status)
