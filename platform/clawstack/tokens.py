"""Tokens that the platform issues: prefix, key and secret, joined by underscores.

The key may be listed and logged; the secret is shown once and only its SHA-256 is stored. A plain hash is right here
because the secret has 256 random bits (nothing to guess), and it keeps the proxy's hot path cheap.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from typing_extensions import override

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KEY_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43  # 62^43 > 2^256
_LONGEST: Final = 128  # tokens have 63 characters; no pattern is run over a header of kilobytes
_NOBODY: Final = hashlib.sha256(b"no token has this secret").hexdigest()
_SHAPE: Final = re.compile(r"([a-z]+)_([0-9a-zA-Z]{12})_([0-9a-zA-Z]{43})")


class TokenKind(StrEnum):
    """What a token opens. The value is the token's prefix."""

    OPERATOR = "clawop"
    """`/v1` for an operator or a program, with scopes."""
    CUSTOMER = "clawcu"
    """`/v1/me` and the customer's own tenants."""
    PROXY = "clawpx"
    """One cell towards the LLM proxy."""
    CHANNEL = "clawch"
    """One cell towards the Telegram router; stands where a bot token would."""
    BOOT = "clawbt"
    """A new machine of a `server` cell, once: it exchanges it for what it needs."""
    AGENT = "clawag"
    """A machine of a `server` cell towards the platform, from its boot until it is replaced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An issued or presented token. `repr` never shows the secret."""

    kind: TokenKind
    key: str
    secret: str

    @override
    def __repr__(self) -> str:
        return f"Token({self.kind.value}_{self.key}_***)"

    def reveal(self) -> str:
        """The whole token, for the one who is to use it."""
        return f"{self.kind.value}_{self.key}_{self.secret}"

    def secret_hash(self) -> str:
        """SHA-256 of the secret as hex: the only form that is stored."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, stored_hash: str | None) -> bool:
        """True when `stored_hash` belongs to this secret; takes the same time either way, also for None (no such key)."""
        fits = hmac.compare_digest(self.secret_hash(), stored_hash if stored_hash is not None else _NOBODY)
        return fits and stored_hash is not None


def issue(kind: TokenKind) -> Token:
    """A new random token of this kind."""
    return Token(kind=kind, key=_random(_KEY_LENGTH), secret=_random(_SECRET_LENGTH))


def parse(text: str, *, kind: TokenKind) -> Token | None:
    """The token in `text`, or None when it is not of this kind and shape (the caller answers 401 for both)."""
    match = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or match[1] != kind.value:
        return None
    return Token(kind=kind, key=match[2], secret=match[3])


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
