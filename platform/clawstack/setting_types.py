"""Types of settings: each carries its unit, how it is read and what is refused, so that a field says it all.

`described` puts a type into words, for docs/configuration.md. Not here: any setting (`clawstack.settings`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from clawstack import secret_urls


@dataclass(frozen=True, slots=True)
class Unit:
    """What a value of the type is, in the words of the configuration page."""

    words: str


def _plain_seconds(value: Any) -> Any:
    # pydantic reads durations as ISO 8601 or H:MM:SS; a plain number is what people write.
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return timedelta(seconds=float(value))
    return value


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return secret_urls.without_credentials(value).rstrip("/")


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


def _networks(value: str) -> str:
    for network in networks_of(value):
        if network.prefixlen == 0:
            raise ValueError("everybody is no list of networks")
    return value


def networks_of(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """The networks in a value of the type `Networks`; raises ValueError for a part that is none."""
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


Seconds = Annotated[timedelta, BeforeValidator(_plain_seconds), Unit("seconds")]
"""A duration: a plain number of seconds, or ISO 8601."""

HttpUrl = Annotated[str, AfterValidator(_http_url), Unit("URL")]
"""The root of something over HTTP, without a trailing slash: text, for paths are put behind it."""

StateUrl = Annotated[SecretStr, AfterValidator(secret_urls.state_url), Unit("secret URL")]
"""The root of Pulumi's state, with credentials where the store takes them in the URL."""

DatabaseUrl = Annotated[SecretStr, AfterValidator(secret_urls.database_url), Unit("secret URL")]
"""A PostgreSQL with user and password."""

Bytes = Annotated[int, Field(ge=1024), Unit("bytes")]
"""A size; less than 1024 is a mistake of the unit."""

Port = Annotated[int, Field(ge=0, le=65535), Unit("port")]
"""A TCP port; 0 picks a free one."""

Networks = Annotated[str, AfterValidator(_networks), Unit("networks, a comma between two")]
"""Addresses or networks in CIDR notation: `10.0.0.0/8, 2001:db8::/32`. The whole world is refused."""

PortRange = Annotated[str, Field(pattern=r"^\d{4,5}-\d{4,5}$"), Unit("ports, first-last")]
"""Ports as they are written in a firewall."""

AbsolutePath = Annotated[Path, AfterValidator(_absolute), Unit("path")]
"""A place that stays the same wherever a process of the platform starts."""

PerMinute = Annotated[int, Field(ge=1), Unit("per minute")]
"""A rate; a door that lets nobody in is not one."""

_PLAIN: Final[dict[Any, str]] = {
    dict: "JSON", str: "text", int: "number", bool: "`true` or `false`", Path: "path", SecretStr: "secret", timedelta: "seconds",
}  # fmt: skip


def described(annotation: Any, metadata: tuple[Any, ...] | list[Any] = ()) -> str:
    """What a setting of this type takes, in a word or two; raises TypeError for a type that nobody has named."""
    units = [item.words for item in metadata if isinstance(item, Unit)]
    if units:
        return units[0]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return described(parts[0], parts[1:])
    if origin in {Union, UnionType}:
        return " or ".join(described(part) for part in parts if part is not type(None))
    if origin is Literal or (isinstance(annotation, type) and issubclass(annotation, StrEnum)):
        return ", ".join(f"`{choice}`" for choice in parts or annotation)
    if (origin or annotation) not in _PLAIN:
        raise TypeError(f"{annotation} has no words: give it a Unit in clawstack.setting_types")
    return _PLAIN[origin or annotation]
