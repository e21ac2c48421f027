"""Where a cell may have its updates pushed: to itself. Pure.

The router would otherwise carry requests into the platform's own network on a cell's behalf (server-side request
forgery). Names are never resolved for process cells, and redirects are never followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.repository.bots import CellAddress
from tenants.substrates.registry import SUBSTRATES

_MAX_URL: Final = 2048
_FIRST_UNPRIVILEGED: Final = 1024
_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """An address that passed; `loopback_port` is to be compared with the ports of other cells."""

    url: str
    loopback_port: int | None


def judge_target(url: str, cell: CellAddress, *, platform_ports: frozenset[int]) -> Target:
    """The URL as it may be called. Raises BotApiError 400 with the reason, in the Bot API's words where it has some."""
    if len(url) > _MAX_URL or any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):  # noqa: PLR2004 - printable ASCII
        raise _bad("invalid URL")
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _bad("invalid URL") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.username is not None or "\\" in url:
        raise _bad("invalid URL")
    place = SUBSTRATES.get(cell.substrate)
    if place is not None and place.on_this_machine:
        return _judge_loopback(parts, port, platform_ports)
    if place is not None and place.is_own_host(parts.hostname, cell.slug):
        return Target(url=url, loopback_port=None)
    raise _bad("the address must be this assistant's own")


def _judge_loopback(parts: SplitResult, port: int, platform_ports: frozenset[int]) -> Target:
    host = parts.hostname or ""
    literal = "127.0.0.1" if host.lower() == "localhost" else host
    try:
        is_loopback = ip_address(literal).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise _bad("the address must be this assistant's own (loopback)")
    if port < _FIRST_UNPRIVILEGED or port in platform_ports:
        raise _bad("this port belongs to the platform")
    shown = f"[{literal}]" if ":" in literal else literal
    return Target(url=parts._replace(netloc=f"{shown}:{port}", fragment="").geturl(), loopback_port=port)


def _bad(reason: str) -> BotApiError:
    return BotApiError(400, f"Bad Request: bad webhook: {reason}")
