"""What values must look like: Hetzner's own rules, told before the first call."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

from toolchain.plugins.hcloud_provider.model.shapes import Complaint

USER_DATA_BYTES: Final = 32 * 1024
_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LABEL_PART: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_PORTS: Final = re.compile(r"any|\d{1,5}(-\d{1,5})?")
_HIGHEST_PORT: Final = 65535
_PRIVATE: Final = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def hostname(value: Any) -> str | None:
    """RFC 1123, as server names must be."""
    if _HOSTNAME.fullmatch(value):
        return None
    return "is no valid host name; use letters, digits, inner hyphens and dots, at most 63 characters between dots"


def network_range(value: Any) -> str | None:
    """A range as it is written in CIDR form, IPv4 or IPv6, without host bits."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return f"is no network range ({error}); write it like 10.0.0.0/16"
    return None


def private_range(value: Any) -> str | None:
    """A range inside RFC 1918."""
    wrong = network_range(value)
    if wrong:
        return wrong
    found = ipaddress.ip_network(value)
    if isinstance(found, ipaddress.IPv4Network) and any(
        found.subnet_of(allowed) for allowed in _PRIVATE if isinstance(allowed, ipaddress.IPv4Network)
    ):
        return None
    return f"is not private; allowed are ranges inside {', '.join(map(str, _PRIVATE))} (RFC 1918)"


def address(value: Any) -> str | None:
    """An IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "is no IP address; write it like 10.0.1.2"
    return None


def port(value: Any) -> str | None:
    """One port number."""
    return None if 1 <= value <= _HIGHEST_PORT else f"is no port; allowed are 1 to {_HIGHEST_PORT}"


def ports(value: Any) -> str | None:
    """Ports of a firewall rule."""
    numbers = (
        [int(number) for number in value.split("-")]
        if re.fullmatch(r"[\d-]+", value) and _PORTS.fullmatch(value)
        else []
    )
    if (
        _PORTS.fullmatch(value)
        and all(1 <= number <= _HIGHEST_PORT for number in numbers)
        and numbers == sorted(numbers)
    ):
        return None
    return 'is no port; write one like "80", a range like "80-85", or "any"'


def labels(value: Any) -> str | None:
    """Hetzner's rules for labels, which are those of Kubernetes."""
    for key, content in value.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_PART.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
            return f"has the key {key!r}; use at most 63 letters, digits, '-', '_' and '.', after an optional domain and '/'"
        if content and not _LABEL_PART.fullmatch(content):
            return f"has {content!r} for {key}; use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    return None


def user_data(value: Any) -> str | None:
    """The limit of the API."""
    size = len(value.encode())
    if size <= USER_DATA_BYTES:
        return None
    return f"has {size} bytes; Hetzner takes at most {USER_DATA_BYTES}; fetch the rest from the machine, or compress it"


def between(least: int, most: int) -> Complaint:
    """A number in a range, ends included."""
    return lambda value: None if least <= value <= most else f"is {value}; allowed are {least} to {most}"


def not_empty(what: str) -> Callable[[Any], str | None]:
    """At least one character."""
    return lambda value: None if value else f"is empty; give {what}"
