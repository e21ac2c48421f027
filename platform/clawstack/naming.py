"""Names of everything that belongs to a tenant, derived from the slug in this one module.

A slug is lower-case letters, digits and inner hyphens, at most 40 characters: the rule of OpenClaw's own fleet, valid as
Kubernetes namespace suffix, Hetzner server name, DNS label and Pulumi stack name. Slugs are stored once chosen.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from typing import Final

from clawstack.errors import InvalidInputError

MAX_SLUG_LENGTH: Final = 40
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SUFFIX_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # no characters that people mistake for another
_SUFFIX_LENGTH: Final = 6

#: The Pulumi project of all cells; the stack is the slug.
CELL_PROJECT: Final = "clawstack-cells"


def is_slug(value: str) -> bool:
    """True when `value` can be used as a slug as it stands."""
    return len(value) <= MAX_SLUG_LENGTH and _SLUG.fullmatch(value) is not None


def require_slug(value: str) -> str:
    """`value` unchanged; raises InvalidInputError when it is no slug."""
    if is_slug(value):
        return value
    raise InvalidInputError(
        f"{value[:60]!r} is not a valid slug.",
        code="invalid_slug",
        remedy=f"Use lower-case letters, digits and inner hyphens, at most {MAX_SLUG_LENGTH} characters.",
    )


def suggest_slug(text: str, *, suffix: str | None = None) -> str:
    """A valid slug that reminds of `text`, made unique by a random suffix (or the one given, in tests).

    Any text works, the empty one and other alphabets too. Callers insert it under a unique constraint and ask again
    on collision (31^6 suffixes per base).
    """
    ending = suffix or "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")
    base = base[: MAX_SLUG_LENGTH - len(ending) - 1].strip("-") or "tenant"
    return require_slug(f"{base}-{ending}")


def stack_name(slug: str) -> str:
    """Pulumi stack of the cell. Letters, digits and hyphens only: `_` and `%` are wildcards in Pulumi's SQL backend."""
    return require_slug(slug)


def namespace_name(slug: str) -> str:
    """Kubernetes namespace of the cell (at most 45 of the 63 characters allowed)."""
    return f"cell-{require_slug(slug)}"


def server_name(slug: str) -> str:
    """Hetzner server of the cell."""
    return f"cell-{require_slug(slug)}"


def account_name(slug: str) -> str:
    """Unix account of a process cell: at most 32 characters, so a hash stands in for the slug."""
    return "claw-" + hashlib.sha256(require_slug(slug).encode()).hexdigest()[:10]
