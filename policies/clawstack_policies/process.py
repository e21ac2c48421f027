"""Process cells: nothing of them is reachable from outside this machine, and none may eat it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy, Severity

from clawstack_policies.rule import rule

_GATEWAY: Final = "clawstack:process:Gateway"
_LIMITS: Final = ("memoryMb", "cpu", "diskMb", "maxProcesses", "maxOpenFiles")
_MOST_PLACES: Final = 3
"""LLM proxy, Telegram router, and one more for what a cell may fetch."""


def _check_bind(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type != _GATEWAY:
        return
    host = str(args.props.get("bindHost") or "every address")
    if not _is_loopback(host):
        yield f"{args.name} listens on {host}."
    bind = _gateway_section(args.props.get("config")).get("bind")
    if bind != "loopback":
        yield f"{args.name} is configured with gateway.bind {bind!r}."


def _gateway_section(config: Any) -> dict[str, Any]:
    try:
        section = json.loads(str(config or "{}")).get("gateway")
    except (ValueError, AttributeError):
        return {}  # no readable configuration says "loopback", so the rule speaks
    return section if isinstance(section, dict) else {}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind_loopback() -> ResourceValidationPolicy:
    """A gateway on this machine listens on loopback only."""
    return rule(
        name="process-bind-loopback",
        sentence="A process cell listens on loopback only.",
        remedy='Set bindHost to 127.0.0.1 and gateway.bind to "loopback"; customers reach a cell through the platform.',
        severity=Severity.CRITICAL,
        check=_check_bind,
    )


def _check_limits(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type != _GATEWAY:
        return
    limits = args.props.get("limits") or {}
    missing = [name for name in _LIMITS if not limits.get(name)]
    if missing:
        yield f"{args.name} has no limit for {', '.join(missing)}."


def limits_set() -> ResourceValidationPolicy:
    """A gateway on this machine is limited in everything it could take from others."""
    return rule(
        name="process-require-limits",
        sentence="A process cell has limits for memory, CPU, disk, processes and open files.",
        remedy="Take them from the plan's resources.",
        severity=Severity.HIGH,
        check=_check_limits,
    )


def _check_reach(args: ResourceValidationArgs) -> Iterator[str]:
    if args.resource_type != _GATEWAY:
        return
    places = args.props.get("reaches") or []
    if not places:
        yield f"{args.name} does not say what it may call."
    if len(places) > _MOST_PLACES:
        yield f"{args.name} may call {len(places)} places."
    yield from (f"{args.name} may call {place}." for place in places if not _is_one_place(str(place)))


def _is_one_place(place: str) -> bool:
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        return False
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return not any(letter in host for letter in "*/, ")  # a name
    return not (address.is_unspecified or address.is_multicast or address.is_link_local)


def walled_in() -> ResourceValidationPolicy:
    """The wall around a gateway on this machine has few doors, and each leads to one place."""
    return rule(
        name="process-require-wall",
        sentence="A process cell calls the platform's proxy and router, each named by host and port, and nothing else.",
        remedy="Set reaches to HOST:PORT of proxy and router; never a metadata address, a network or every address.",
        severity=Severity.CRITICAL,
        check=_check_reach,
    )
