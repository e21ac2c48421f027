"""Everything to build for a server cell, decided by a pure function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from clawstack.errors import InvalidInputError
from clawstack.naming import server_name
from clawstack.vocabulary import Desired
from tenants.bundles import load_bundle
from tenants.server.files import on_machine
from tenants.server.places import PORT, cell_root
from tenants.server.settings import SMALLEST_VOLUME_GB, DnsZone, InboundRule, ServerSettings
from tenants.server.sites import site_of
from tenants.server.user_data import user_data
from tenants.spec import CellSpec

_MB_PER_GB: Final = 1000
_ANYWHERE: Final = ("0.0.0.0/0", "::/0")
_DNS: Final = 53
_NTP: Final = 123
_HTTP: Final = 80
_HTTPS: Final = 443


@dataclass(frozen=True, kw_only=True)
class FirewallRule:
    """One rule of Hetzner's firewall; `networks` are sources of an inbound, destinations of an outbound one."""

    direction: str
    protocol: str
    port: str | None
    networks: tuple[str, ...]
    description: str


@dataclass(frozen=True, kw_only=True)
class PlannedServer:
    """The server itself."""

    server_type: str
    image: str
    ssh_keys: tuple[str, ...]
    network_id: int | None
    public_ipv4: bool
    user_data: str = field(repr=False)
    """Holds the boot token: secret, though worthless once it was exchanged."""


@dataclass(frozen=True, kw_only=True)
class ServerPlan:
    """One server cell. Without a machine the cell is suspended: volume and firewall stay."""

    slug: str
    name: str
    labels: Mapping[str, str]
    location: str
    volume_may_move: bool
    """It is blank: where the location is another than the volume's, it is made anew."""
    volume_gb: int
    rules: tuple[FirewallRule, ...]
    machine: PlannedServer | None
    dns: DnsZone | None
    endpoint: str
    state_directory: str
    version: str


def build_plan(spec: CellSpec, settings: ServerSettings, *, today: date) -> ServerPlan:
    """The plan of `spec` in the project of `settings`.

    Equal inputs give equal plans. Raises InvalidInputError when the persona bundle does not exist, the plan has no
    server type, the machine could not reach the platform, or a cell that is to run was given no boot.
    """
    del today  # ages are in the bundle that the machine fetches, not in what it is born with
    on_machine(spec, settings)
    load_bundle(spec.bundle.name, spec.bundle.version)
    name = server_name(spec.slug)
    return ServerPlan(
        slug=spec.slug,
        name=name,
        labels=spec.labels,
        location=site_of(spec, settings).location,
        volume_may_move=spec.boot is not None and spec.boot.is_first,
        volume_gb=max(SMALLEST_VOLUME_GB, math.ceil(spec.resources.disk_mb / _MB_PER_GB)),
        rules=tuple(_inbound(rule) for rule in settings.inbound) + _outbound(settings),
        machine=_machine(spec, settings) if spec.desired is Desired.RUNNING else None,
        dns=settings.dns,
        # Nobody can call it: the gateway listens on its machine's own loopback and fetches what it needs.
        endpoint=f"cell://{name}:{PORT}",
        state_directory=f"{name}:{cell_root(spec.slug) / 'state'}",
        version=settings.openclaw.version,
    )


def _machine(spec: CellSpec, settings: ServerSettings) -> PlannedServer:
    if spec.boot is None:
        raise InvalidInputError(
            f"Cell {spec.slug} is to run on a server of its own, but no boot was prepared for it.",
            code="boot_missing",
            remedy="Let `services.cells.machines` equip the specification first.",
        )
    return PlannedServer(
        server_type=site_of(spec, settings).server_type,
        image=spec.boot.image or settings.image,
        ssh_keys=settings.ssh_keys,
        network_id=settings.network_id,
        public_ipv4=settings.public_ipv4,
        user_data=user_data(spec, settings, token=spec.boot.token.get_secret_value()),
    )


def _inbound(rule: InboundRule) -> FirewallRule:
    return FirewallRule(
        direction="in",
        protocol=rule.protocol,
        port=str(rule.port),
        networks=rule.sources,
        description=rule.description or f"{rule.protocol} {rule.port}",
    )


def _outbound(settings: ServerSettings) -> tuple[FirewallRule, ...]:
    """The first outbound rule makes Hetzner refuse everything else. Accounts are told apart by the machine's own wall."""
    web = {_HTTP: "packages", _HTTPS: "platform, packages"} | dict.fromkeys(settings.platform_ports, "platform")
    names = tuple(f"{address}/{128 if ':' in address else 32}" for address in settings.resolvers)
    return (
        *(_out(protocol, _DNS, "name servers", names) for protocol in ("udp", "tcp")),
        _out("udp", _NTP, "clock"),
        *(_out("tcp", port, what) for port, what in sorted(web.items())),
    )


def _out(protocol: str, port: int, what: str, networks: tuple[str, ...] = _ANYWHERE) -> FirewallRule:
    return FirewallRule(direction="out", protocol=protocol, port=str(port), networks=networks, description=what)
