"""Random passwords and strings with minimum counts per class of characters."""

from __future__ import annotations

import string
from collections.abc import Mapping
from random import SystemRandom
from typing import Any, Final

SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"
_BCRYPT_COST: Final = 10
_BCRYPT_BYTES: Final = 72
"""What bcrypt looks at; official hashes are of the first 72 bytes too."""


def classes(inputs: Mapping[str, Any]) -> tuple[tuple[str, bool, int], ...]:
    """Alphabet, whether it is in use, and the minimum count, for each class of characters."""
    return (
        (string.ascii_lowercase, bool(inputs["lower"]), int(inputs["minLower"])),
        (string.ascii_uppercase, bool(inputs["upper"]), int(inputs["minUpper"])),
        (string.digits, bool(inputs["numeric"]), int(inputs["minNumeric"])),
        (inputs["overrideSpecial"] or SPECIAL, bool(inputs["special"]), int(inputs["minSpecial"])),
    )


def generate(inputs: Mapping[str, Any]) -> str:
    """A string of exactly `length` characters that has every minimum; inputs were checked and have their defaults."""
    source = SystemRandom()
    groups = classes(inputs)
    picked = [source.choice(alphabet) for alphabet, _, least in groups for _ in range(least)]
    everything = "".join(alphabet for alphabet, used, _ in groups if used)
    picked += [source.choice(everything) for _ in range(int(inputs["length"]) - len(picked))]
    source.shuffle(picked)
    return "".join(picked)


def complaint(inputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """The property that cannot be met and why, None where all can."""
    groups = classes(inputs)
    least = sum(group[2] for group in groups)
    length = inputs["length"]
    if length < max(least, 1):
        return "length", f"length is {length}; it must be at least 1 and at least the sum of the minimums, {least}."
    if length > least and not any(used for _, used, _ in groups):
        return "special", "lower, upper, numeric and special are all false; at least one must be true."
    return None


def bcrypt(password: str) -> str | None:
    """The bcrypt hash of the password, None where this system's C library has no bcrypt."""
    import warnings

    with warnings.catch_warnings():
        # Leaves the standard library with Python 3.13, which this project does not run on yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import crypt
        except ImportError:
            return None
        if crypt.METHOD_BLOWFISH not in crypt.methods:
            return None
        # The one hash that the official output is defined as.
        salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**_BCRYPT_COST)  # noqa: S324
        return crypt.crypt(password.encode()[:_BCRYPT_BYTES].decode(errors="ignore"), salt)
