"""Reading the token that a request presents. Bare ASGI, because hot paths use it, too."""

from __future__ import annotations

from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]


def bearer_token(headers: Headers) -> str | None:
    """The token of exactly one `Authorization: Bearer` header (RFC 6750, 2.1), None otherwise.

    Tokens in queries, cookies or forms are not looked at: those end in logs and caches.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) != 1:
        return None
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    return token if scheme.lower() == "bearer" and token else None
