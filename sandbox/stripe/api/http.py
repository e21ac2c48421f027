"""What pages and API share about HTTP requests."""

from __future__ import annotations

from starlette.requests import Request

from sandbox.stripe.store.account import Account


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
