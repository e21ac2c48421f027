"""The cluster as an operator describes it in `Pulumi.<stack>.yaml` under `clawstack:cluster`.

Everything that can be wrong is refused here, before the first resource (see `reading`). Keys are camelCase in YAML.
Limits are Hetzner's unless another source is named.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel, to_snake

from clawstack.cluster.addresses import FIRST_SLOT, LAST_SLOT, MAX_NUMBER, hashed_slot
from clawstack.cluster.offers import Arch, shipped_offers
from clawstack.cluster.ranges import admin_source, any_source, private_network

_KEY: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
#: Names that the cluster's own parts carry; a pool of that name would be mistaken for them.
RESERVED_POOLS: Final = frozenset({"control-plane", "nat", "api", "network", "infrastructure"})
MAX_SERVERS: Final = 100  # servers and load balancers in one private network
_FROM_THE_CLUSTER: Final = frozenset({"name", "control_planes", "api_load_balancer", "node_network"})
DEFAULT_IMAGE: Final = "debian-13"


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError(f"{value[:40]!r} must be 1 to 20 lower-case letters, digits and inner hyphens, letter first")
    return value


def _location(value: str) -> str:
    if value not in shipped_offers().locations:
        raise ValueError(f"{value[:40]!r} is no location; choose one of {', '.join(shipped_offers().locations)}")
    return value


def _server_type(value: str) -> str:
    if value not in shipped_offers().server_types:
        raise ValueError(f"{value[:40]!r} is no server type; choose one of {', '.join(shipped_offers().server_types)}")
    return value


def _public_key(value: str) -> str:
    if not re.match(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+", value.strip()):
        raise ValueError("is no public SSH key; paste the line of a .pub file (never a private key)")
    return value.strip()


Key = Annotated[str, AfterValidator(_key)]
LocationName = Annotated[str, AfterValidator(_location)]
ServerTypeName = Annotated[str, AfterValidator(_server_type)]
AdminSource = Annotated[str, AfterValidator(admin_source)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
Generation = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ControlPlaneConfig(Section):
    """The servers that hold etcd and the kube API."""

    count: int = 1
    type: ServerTypeName = "cx33"
    locations: tuple[LocationName, ...] = Field(default=("fsn1",), min_length=1)
    """Control plane 1 lies in the first, 2 in the second, and so on round; all in one network zone."""
    image: str = DEFAULT_IMAGE
    public: bool = True
    """A public address, filtered by the firewall. Without it the kube API is reached from the private network only."""
    backups: bool = True
    """Hetzner's daily backups of the whole server: a fifth of its price."""
    generations: dict[Number, Generation] = Field(default_factory=dict)
    """Raise the number of one control plane to replace it; see `unlocked`."""
    unlocked: Number | None = None
    """The one control plane that the next update may replace while `protection` is on."""

    @field_validator("count")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value in {1, 3}:
            return value
        reason = {
            2: "with 2 the loss of either one stops the cluster: etcd needs a majority of all members",
            0: "without one there is no cluster",
        }.get(
            value, "more than 3 make every write of etcd slower and are not tested here, and even numbers add no safety"
        )
        raise ValueError(f"a control plane has 1 or 3 servers, not {value}; {reason}")


class PoolTaint(Section):
    """Keeps pods away that do not tolerate it."""

    key: str = Field(pattern=r"^[A-Za-z0-9./_-]{1,317}$")
    value: str = Field(default="", max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Pool(Section):
    """Workers of one kind."""

    count: Annotated[int, Field(ge=0, le=MAX_SERVERS)]
    type: ServerTypeName
    location: LocationName
    arch: Arch | None = None
    """Checked against the type when given; the type decides."""
    image: str = DEFAULT_IMAGE
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[PoolTaint, ...] = ()
    public: bool = True
    """A public address. Without it the pool goes out through the NAT gateway."""
    slot: Annotated[int, Field(ge=FIRST_SLOT, le=LAST_SLOT)] | None = None
    """Third number of the pool's private range; by default derived from the pool's name. Never change it."""
    generation: Generation = 1
    """Raise it to replace every node of the pool; a new pool beside the old one is gentler."""
    retired: frozenset[Number] = frozenset()
    """Numbers that are left out for ever: takes node 2 away without touching node 3."""

    @field_validator("arch")
    @classmethod
    def _arch_of_type(cls, value: Arch | None, info: ValidationInfo) -> Arch | None:
        type_ = info.data.get("type")
        if value is not None and type_ is not None and shipped_offers().server_types[type_].arch is not value:
            raise ValueError(
                f"{type_} is {shipped_offers().server_types[type_].arch}, not {value}; leave `arch` out or change `type`"
            )
        return value

    def effective_slot(self, key: str) -> int:
        """The pool's slot, its own or the one of its name."""
        return self.slot if self.slot is not None else hashed_slot(key)


class ApiLoadBalancer(Section):
    """Balances the kube API inside the private network. Never public: Hetzner firewalls do not cover load balancers."""

    type: Annotated[str, Field(pattern="^(lb11|lb21|lb31)$")] = "lb11"


class Nat(Section):
    """A small server through which nodes without public addresses reach the internet."""

    type: ServerTypeName = "cx23"
    image: str = DEFAULT_IMAGE
    generation: Generation = 1


class DataVolume(Section):
    """A block volume that survives its server."""

    size_gb: Annotated[int, Field(ge=10, le=10240)]
    node: str
    """Name of the node that mounts it, for example `data-1`."""
    format: Literal["ext4", "xfs"] = "ext4"


class DnsRecord(Section):
    """One record set of the zone."""

    name: str = Field(pattern=r"^(@|\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,200}[a-z0-9_])?)$")
    type: Literal["A", "AAAA", "CNAME", "TXT", "MX", "CAA", "SRV"]
    values: tuple[str, ...] = Field(min_length=1)
    ttl: Annotated[int, Field(ge=60, le=2147483647)] = 300


class Dns(Section):
    """Records in Hetzner's DNS."""

    zone: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
    create_zone: bool = False
    """False: the zone exists already in the same Hetzner project."""
    api_name: str | None = Field(default=None, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """Name below the zone that leads to the control planes' public addresses."""
    records: dict[Key, DnsRecord] = Field(default_factory=dict)


class ClusterConfig(Section):
    """One cluster. Rules that span sections are in `rules`."""

    enabled: bool = True
    """False: the section is read and checked, and nothing is made."""
    name: Key = "clawstack"
    ssh_keys: dict[Key, PublicKey] = Field(min_length=1)
    ssh_sources: tuple[AdminSource, ...] = Field(min_length=1)
    """Ranges that may reach port 22. Required."""
    api_sources: tuple[AdminSource, ...] = Field(min_length=1)
    """Ranges that may reach the kube API on port 6443. Required."""
    web_sources: tuple[Annotated[str, AfterValidator(any_source)], ...] = ()
    """Ranges that may reach ports 80 and 443 of workers directly; not needed behind a load balancer."""
    network_range: Annotated[str, AfterValidator(private_network)] = "10.0.0.0/16"
    control_plane: ControlPlaneConfig = Field(default_factory=ControlPlaneConfig)
    pools: dict[Key, Pool] = Field(default_factory=dict)
    api_load_balancer: ApiLoadBalancer | None = None
    nat: Nat | None = None
    volumes: dict[Key, DataVolume] = Field(default_factory=dict)
    dns: Dns | None = None
    protection: bool = True
    """Hetzner's deletion protection and Pulumi's on what holds state. Switch off, `pulumi up`, then `pulumi destroy`."""
    credentials_rotation: Generation = 1
    """Raise it to sign a new administrator's certificate (each is valid for a year)."""
    kubernetes: dict[str, Any] = Field(default_factory=dict)
    """Settings of K3s itself, read by `clawstack.k3s.ClusterSettings`: `podTraffic`, `snapshots`, `audit` ..."""
    addons: dict[str, Any] | None = None
    """Settings of the add-ons, read by `clawstack.addons`; None: no add-ons."""

    @field_validator("kubernetes")
    @classmethod
    def _not_what_the_cluster_says(cls, value: dict[str, Any]) -> dict[str, Any]:
        mine = sorted(key for key in value if to_snake(key) in _FROM_THE_CLUSTER)
        if mine:
            raise ValueError(f"{', '.join(mine)} follow from the rest of the cluster's configuration; leave them out")
        return value
