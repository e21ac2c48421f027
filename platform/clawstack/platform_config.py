"""Typed configuration of the platform stack, checked before the first resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from clawstack.errors import InvalidInputError
from clawstack.settings import Profile

SUBSTRATES: Final = ("process", "namespace", "server")


@dataclass(frozen=True, kw_only=True)
class PlatformConfig:
    """What an operator sets in `Pulumi.<stack>.yaml`."""

    profile: Profile
    public_url: str
    default_substrate: str
    secret_rotation: int


def read_config(config: pulumi.Config) -> PlatformConfig:
    """The stack's configuration; raises InvalidInputError with value, allowed set and remedy."""
    profile = _one_of(config, "profile", tuple(item.value for item in Profile), "development")
    substrate = _one_of(config, "defaultSubstrate", SUBSTRATES, "process")
    url = config.get("publicUrl") or "http://127.0.0.1:8080"
    if not url.startswith(("http://", "https://")):
        raise _refused("publicUrl", url, "an address that starts with https:// (or http:// on this machine)")
    if profile == Profile.PRODUCTION.value and not url.startswith("https://"):
        raise _refused("publicUrl", url, "an https:// address, since Stripe and Telegram call it in production")
    rotation = config.get_int("secretRotation")
    if rotation is not None and rotation < 1:
        raise _refused("secretRotation", str(rotation), "a whole number from 1 up")
    return PlatformConfig(
        profile=Profile(profile), public_url=url.rstrip("/"), default_substrate=substrate, secret_rotation=rotation or 1
    )


def _one_of(config: pulumi.Config, key: str, allowed: tuple[str, ...], default: str) -> str:
    value = config.get(key) or default
    if value not in allowed:
        raise _refused(key, value, f"one of {', '.join(allowed)}")
    return value


def _refused(key: str, value: str, wanted: str) -> InvalidInputError:
    return InvalidInputError(
        f"clawstack:{key} is {value!r}; it must be {wanted}.",
        code="bad_stack_config",
        remedy=f"pulumi config set clawstack:{key} <value>",
    )
