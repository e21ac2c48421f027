"""What the builder must know of the installation and a cell's specification does not say: the operator's part."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from clawstack.errors import InvalidInputError
from tenants.spec import Url

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Arch = Literal["x64", "arm64"]
Location = Annotated[str, Field(pattern=r"^[a-z]{3}\d?$")]
ServerType = Annotated[str, Field(pattern=r"^[a-z]{2,4}\d{1,3}$")]

_NAME: Final = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
_ARM_PREFIX: Final = "cax"
"""Hetzner's ARM types (CAX11 to CAX41)."""
#: docs.hetzner.com, "Hetzner's DNS resolver".
_HETZNER_RESOLVERS: Final = ("185.12.64.1", "185.12.64.2", "2a01:4ff:ff00::add:1", "2a01:4ff:ff00::add:2")
SMALLEST_VOLUME_GB: Final = 10
"""Hetzner sells no smaller one."""


class _Frozen(BaseModel):
    # `hide_input_in_errors`: the API token must not appear in an error's text.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _arch(server_type: str) -> Arch:
    return "arm64" if server_type.startswith(_ARM_PREFIX) else "x64"


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(f"{value[:60]!r} is neither an IP address nor a network such as 192.0.2.0/28") from None


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not an IP address") from None


def _safe_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "https":
        return value
    try:
        near = ipaddress.ip_address(parts.hostname or "").is_private
    except ValueError:
        near = False
    if not near:
        raise ValueError(
            f"{value[:80]!r} would carry the secrets of machines through the internet in the clear; give an https:// "
            "address (http:// is taken for private addresses only)"
        )
    return value


class NodePin(_Frozen):
    """The Node that gateways run on, exactly."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    sha256: Mapping[Arch, Sha256] = Field(min_length=1)
    """Of the `.tar.xz` by processor, from the release's own SHASUMS256.txt."""
    url: Annotated[str, Field(pattern=r"^https?://[^\s'\"$`\\]+$")] = (
        "https://nodejs.org/dist/v{version}/node-v{version}-linux-{arch}.tar.xz"
    )
    """`{version}` and `{arch}` are filled in."""


class OpenClawPin(_Frozen):
    """The OpenClaw that machines install: npm's lock file names every package with its hash."""

    version: Annotated[str, Field(pattern=r"^\d{4}\.\d+\.\d+([.-][0-9A-Za-z.-]+)?$|^\d+\.\d+\.\d+$")]
    lock_sha256: Sha256
    """Of the package-lock.json that the platform hands out; a machine installs from no other."""


class DnsZone(_Frozen):
    """A zone at Hetzner in which each cell gets a record: `<slug>.<name>`."""

    name: Annotated[str, Field(pattern=_NAME)]
    ttl: Annotated[int, Field(ge=60, le=2_147_483_647)] = 300


class InboundRule(_Frozen):
    """A port that is open to somebody. There is none by default: machines call the platform, nobody calls machines."""

    protocol: Literal["tcp", "udp"] = "tcp"
    port: Annotated[int, Field(ge=1, le=65535)]
    sources: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(min_length=1)
    description: Annotated[str, Field(max_length=255)] = ""


class ServerSettings(_Frozen):
    """One Hetzner project, as cells need to know it."""

    token: SecretStr
    endpoint: Url = "https://api.hetzner.cloud/v1"
    poll_interval: Annotated[str, Field(pattern=r"^\d+(ms|s)$")] = "1s"
    """How often the provider asks how an action goes. 3,600 requests per hour and project are all there are."""
    location: Location
    other_locations: tuple[Location, ...] = ()
    """Where a new cell goes when Hetzner has no room in `location`, in this order; all in the network's zone, if there is one."""
    server_types: Mapping[str, ServerType] = Field(min_length=1)
    """Type by plan, the catalogue's unless the operator names another; a plan that is not named has no server."""
    other_server_types: Mapping[str, tuple[ServerType, ...]] = Field(default_factory=dict)
    """By plan: types that do as well when there is no room for the first, in this order; with the same processor."""
    image: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")] = "debian-12"
    """Debian or Ubuntu with cloud-init and systemd."""
    ssh_keys: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = ()
    """Names or ids at Hetzner. SSH is off where none is given, and needs an inbound rule besides."""
    network_id: int | None = None
    """A private network that has the location's zone; the public interfaces stay unless `public_ipv4` is off."""
    public_ipv4: bool = True
    dns: DnsZone | None = None
    inbound: tuple[InboundRule, ...] = ()
    snapshots_kept: Annotated[int, Field(ge=0, le=30)] = 1
    """Of a suspended cell's root disk: a resumed machine starts from it, without installing. 0: none is made."""
    platform_url: Annotated[Url, AfterValidator(_safe_url)]
    """Root under which machines reach the platform: one-time fetch, orders, uploads."""
    platform_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (443,)
    """Ports of the LLM proxy, the Telegram router and `platform_url`."""
    resolvers: tuple[Annotated[str, AfterValidator(_host)], ...] = _HETZNER_RESOLVERS
    """Name servers that machines may ask; the ones that Hetzner's machines are given."""
    node: NodePin
    openclaw: OpenClawPin
    npm_registry: Annotated[str, Field(pattern=r"^https?://[^\s'\"$`\\]+$")] | None = None
    """npm's own where none is given."""
    poll_seconds: Annotated[float, Field(ge=0.1, le=60)] = 5
    """How often a machine asks for orders."""
    ready_seconds: Annotated[int, Field(ge=30, le=3600)] = 480
    """How long a new machine may take from its creation to the first answer of its gateway."""
    refusal_pauses: tuple[Annotated[float, Field(ge=0.1, le=600)], ...] = (5, 10, 20)
    """Seconds before each further start of a gateway that refuses to run (exit code 78), which may pass under load."""
    silence_seconds: Annotated[int, Field(ge=30, le=3600)] = 120
    """How long a running gateway may leave its health unanswered before its machine ends and restarts it. Turns take
    minutes, but answer meanwhile: what says nothing for two minutes is stuck."""
    boot_minutes: Annotated[int, Field(ge=5, le=120)] = 20
    """Life of a boot token."""

    @model_validator(mode="after")
    def _others_have_the_same_processor(self) -> Self:
        for plan, others in self.other_server_types.items():
            first = self.server_types.get(plan)
            if first is None:
                raise ValueError(f"other_server_types names {plan!r}, for which server_types has no first type")
            strange = [kind for kind in others if _arch(kind) != _arch(first)]
            if strange:  # snapshots and what is installed are for one kind of processor
                raise ValueError(
                    f"{strange[0]} for {plan!r} has another processor ({_arch(strange[0])}) than {first} ({_arch(first)})"
                )
        return self

    def types_of(self, plan: str) -> tuple[str, ...]:
        """The types for a plan, best first; raises InvalidInputError with the plans that have one."""
        return (self.server_type(plan), *self.other_server_types.get(plan, ()))

    def server_type(self, plan: str) -> str:
        """The type for a plan; raises InvalidInputError with the plans that have one."""
        try:
            return self.server_types[plan]
        except KeyError:
            raise InvalidInputError(
                f"The plan {plan!r} has no server type.",
                code="no_server_type",
                remedy=f"Name one in `server_types`, or choose one of: {', '.join(sorted(self.server_types))}.",
            ) from None

    def arch(self, plan: str) -> Arch:
        """Processor of the plan's servers; raises InvalidInputError where no Node is pinned for it."""
        server_type = self.server_type(plan)
        arch = _arch(server_type)
        if arch not in self.node.sha256:
            raise InvalidInputError(
                f"No Node is pinned for {arch}, which {server_type} needs.",
                code="no_node_for_arch",
                remedy=f"Add the checksum for {arch}, or choose a type for: {', '.join(sorted(self.node.sha256))}.",
            )
        return arch
