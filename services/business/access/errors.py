"""Sentences that people read when access is refused. None of them tells which part of a token was wrong."""

from __future__ import annotations

from clawstack.errors import AuthenticationError, PermissionDeniedError


def missing_token() -> AuthenticationError:
    """No usable Authorization header."""
    return AuthenticationError(
        "This address needs a token.",
        remedy="Send it as `Authorization: Bearer <token>`; `clawstack token create` makes one.",
    )


def invalid_token() -> AuthenticationError:
    """Unknown, malformed, revoked and expired tokens are one case to the one who presents them."""
    return AuthenticationError("This token is not valid.", remedy="Use a token that is neither revoked nor expired.")


def not_a_customer() -> PermissionDeniedError:
    """An operator's token where only a customer's makes sense."""
    return PermissionDeniedError(
        "This token belongs to no customer, and so has no tenants of its own.", remedy="Ask /v1/tenants/{slug}/usage."
    )


def missing_scope(scope: str) -> PermissionDeniedError:
    """A valid token that may not do this."""
    return PermissionDeniedError(
        f"This token lacks the scope {scope}.", remedy=f"Ask an operator for a token with the scope {scope}."
    )
