"""What machines are refused with. A machine without the right token learns nothing about cells."""

from __future__ import annotations

from clawstack.errors import AuthenticationError, ConflictError, NotFoundError


def unknown_machine() -> AuthenticationError:
    """The same for every reason: no such cell, no such token, another cell's token, an ended one."""
    return AuthenticationError("This machine is not known, or not any more.")


def token_used() -> ConflictError:
    """The boot token was exchanged before."""
    return ConflictError(
        "This boot token was used.",
        code="boot_token_used",
        remedy="If this machine did not use it, somebody else did: have the cell rebuilt.",
    )


def token_expired() -> ConflictError:
    """The boot token was not exchanged in time."""
    return ConflictError(
        "This boot token has expired.",
        code="boot_token_expired",
        remedy="The next operation on the cell makes a new machine.",
    )


def no_such_order() -> NotFoundError:
    """Nothing of the kind is open for this machine."""
    return NotFoundError("There is no such order for this machine.")
