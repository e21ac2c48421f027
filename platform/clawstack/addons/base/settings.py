"""Which add-ons a cluster gets. Every one is a field: None leaves it out, a value switches it on and says how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from clawstack.addons.base.pins import require_known
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.errors import InvalidInputError
from clawstack.frozen import FrozenSection
from clawstack.k3s import ClusterSettings, EtcdSnapshots, Taint
from clawstack.k3s.release import Architecture
from clawstack.placement import Place

_NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_MOMENT: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
_AUTOSCALED_SERVERS: Final = 80
STORAGE_CLASS: Final = "hcloud-volumes"
CELLS_STORAGE_CLASS: Final = "clawstack-cells"

Name = Annotated[str, Field(pattern=_NAME)]
Location = Literal["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]
Day = Literal["su", "mo", "tu", "we", "th", "fr", "sa"]


class CloudController(FrozenSection):
    """Hetzner's controller: tells nodes what they are, removes those whose server is gone, makes load balancers."""

    network: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    """Name or number of the private network."""
    location: Location
    """Where load balancers are made."""


class Storage(FrozenSection):
    """Hetzner's volumes as Kubernetes volumes. At most 16 on a server, 10 GB at least (Hetzner's limits)."""

    default_class: bool = True
    keep_volumes: bool = True
    """A deleted claim leaves its volume: a person decides. It costs until then; the sweep names it. Cells' volumes are of
    a class of their own and always go with them."""
    encrypt_cells: bool = True
    """Volumes of cells that are made from now on are encrypted on the node (LUKS); those that are there stay as they are."""


class Upgrades(FrozenSection):
    """The upgrade controller moves nodes to the pinned K3s: control planes one by one, then workers."""

    enabled: bool = False
    """False installs the controller without plans: nothing is upgraded."""
    worker_concurrency: Annotated[int, Field(ge=1, le=10)] = 1


class Reboots(FrozenSection):
    """kured restarts nodes that need it after updates, one at a time, in a window."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = ("su", "mo", "tu", "we", "th", "fr", "sa")
    start: Annotated[str, Field(pattern=_MOMENT)] = "02:00"
    end: Annotated[str, Field(pattern=_MOMENT)] = "05:00"
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z_]+(/[A-Za-z_]+){0,2}$")] = "UTC"


class Certificates(FrozenSection):
    """cert-manager with Let's Encrypt: an issuer for trials and one for real."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    """Where Let's Encrypt writes to."""


class Ingress(FrozenSection):
    """Traefik behind one Hetzner load balancer. It serves Ingress objects and Gateway API routes."""

    location: Location
    load_balancer_type: Literal["lb11", "lb21", "lb31"] = "lb11"
    gateway_api: bool = False
    """Also serve Gateway, HTTPRoute: needed for the control UI of cells."""
    replicas: Annotated[int, Field(ge=1, le=20)] = 2


class Monitoring(FrozenSection):
    """Prometheus, Alertmanager and Grafana, with this project's dashboards and alerts."""

    retention_days: Annotated[int, Field(ge=1, le=365)] = 15
    storage_gb: Annotated[int, Field(ge=10, le=10_000)] = 20
    custom_metrics: bool = True
    """Serve this project's metrics to autoscalers (prometheus-adapter)."""
    alert_webhook_secret: Name | None = None
    """A Secret in `monitoring` with the key `url`; alerts are sent there. None: they are only shown."""


class VaultStore(FrozenSection):
    """A HashiCorp Vault (or OpenBao) that knows the operator's pods by their ServiceAccount: no token is kept anywhere."""

    server: Annotated[str, Field(pattern=r"^https://[^\s@/?#]+/?$")]
    path: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)*$")] = "secret"
    """Where the key-value engine (version 2) is mounted."""
    role: Annotated[str, Field(pattern=r"^[\w.-]{1,128}$")]
    """Of Vault's Kubernetes authentication, bound to the ServiceAccount `external-secrets` in `external-secrets`."""
    mount_path: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)*$")] = "kubernetes"
    """Where that authentication is mounted."""
    ca_bundle: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+=*$")] | None = None
    """A certificate authority of your own, PEM in base64."""


class ExternalSecrets(FrozenSection):
    """The External Secrets operator and its store `clawstack`, which serves the services' namespace alone."""

    vault: VaultStore | None = None

    @model_validator(mode="after")
    def _has_a_store(self) -> Self:
        if self.vault is None:
            raise ValueError(
                "names no store, so nothing could ever be fetched; give vault: {server: https://..., role: ...}, or leave "
                "the add-on out and install an operator with a store of another kind yourself"
            )
        return self


class AutoscaledPool(FrozenSection):
    """Workers that come and go."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
    server_type: Annotated[str, Field(pattern=r"^[a-z]{2,4}\d{2}$")]
    arch: Architecture
    location: Location
    minimum: Annotated[int, Field(ge=0)] = 0
    maximum: Annotated[int, Field(ge=1, le=_AUTOSCALED_SERVERS)]
    labels: Mapping[str, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"pool {self.name}: minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Autoscaler(FrozenSection):
    """Makes servers when pods find no room, and removes them again."""

    cluster: ClusterSettings
    """With a node_network: the machines join with the same user data as all others."""
    pools: Annotated[tuple[AutoscaledPool, ...], Field(min_length=1, max_length=10)]
    network: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    firewall: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
    """Machines without a firewall would be open: required."""
    ssh_key: Annotated[str, Field(pattern=r"^[\w.@ -]{1,64}$")]
    images: Mapping[Architecture, str]
    """Hetzner image by architecture: plain Debian or Ubuntu."""
    public_ipv4: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.cluster.node_network is None:
            raise ValueError("the autoscaler's cluster needs a node_network")
        missing = {pool.arch.value for pool in self.pools} - {architecture.value for architecture in self.images}
        if missing:
            raise ValueError(f"images has none for {', '.join(sorted(missing))}")
        names = [pool.name for pool in self.pools]
        if len(set(names)) != len(names):
            raise ValueError("two pools have the same name")
        return self


class OwnDatabase(FrozenSection):
    """PostgreSQL in the cluster, run by CloudNativePG."""

    instances: Annotated[int, Field(ge=1, le=5)] = 3
    max_connections: Annotated[int, Field(ge=50, le=2000)] = 500
    memory_gb: Annotated[int, Field(ge=1, le=512)] = 2
    """A session takes about 3 MB of it."""
    storage_gb: Annotated[int, Field(ge=10, le=10_000)] = 20
    storage_class: Name | None = None
    place: Place = Place()
    """Nodes for it: those of the pools labelled `clawstack.dev/for: data` where nothing is said."""
    image: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]*:[\w][\w.-]{0,127}(@sha256:[0-9a-f]{64})?$")]
    """A CloudNativePG operand image, best with digest."""


class ExternalDatabase(FrozenSection):
    """A PostgreSQL elsewhere; its address is a secret (`AddonSecrets.database_url`)."""

    addresses: Annotated[tuple[str, ...], Field(min_length=1)]
    """IP addresses, for the network rules."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    max_connections: Annotated[int, Field(ge=20, le=10_000)] | None = None
    """As it is set there: what the services may open is checked against it. None: nobody checks."""


#: For those who connect besides the services: PostgreSQL's own for superusers (3), CloudNativePG's manager and exporter,
#: Pulumi's state of cells where it lies on the same server (four runs at once), an operator with psql.
_RESERVED_CONNECTIONS: Final = 30


def _require_connections(own: Workloads, database: OwnDatabase | ExternalDatabase) -> None:
    limit, wanted = database.max_connections, own.connections()
    if limit is not None and wanted > limit - _RESERVED_CONNECTIONS:
        sizes = ", ".join(f"{role.value} {own.size(role).maximum} x {own.size(role).pool}" for role in WorkloadRole)
        raise ValueError(
            f"the services may open {wanted} connections to the database ({sizes}, and what is beside the pools), and it "
            f"takes {limit} less {_RESERVED_CONNECTIONS} for others; raise database.maxConnections to "
            f"{wanted + _RESERVED_CONNECTIONS} (and its memory), or lower workloads' `pool` or `maximum`"
        )


class AddonsSettings(FrozenSection):
    """All add-ons of one cluster."""

    cluster: Name
    protection: bool = True
    """Pulumi refuses to remove what cannot be made again: the passphrase of cells' volumes."""
    pod_network: str = "10.42.0.0/16"
    cloud_controller: CloudController | None = None
    storage: Storage | None = None
    snapshots: EtcdSnapshots | None = None
    """The same as the cluster's: place and keys as a Secret."""
    upgrades: Upgrades | None = None
    reboots: Reboots | None = None
    certificates: Certificates | None = None
    ingress: Ingress | None = None
    monitoring: Monitoring | None = None
    external_secrets: ExternalSecrets | None = None
    autoscaler: Autoscaler | None = None
    database: OwnDatabase | ExternalDatabase | None = None
    workloads: Workloads | None = None
    """clawstack's own services."""
    versions: Mapping[str, str] = Field(default_factory=dict)
    """Other versions than the shipped ones, by name of the chart."""

    @field_validator("versions")
    @classmethod
    def _known(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        try:
            require_known(value)
        except InvalidInputError as error:
            raise ValueError(error.sentence()) from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.storage and not self.cloud_controller:
            raise ValueError("storage needs the cloud_controller: it tells nodes which server they are")
        if self.ingress and not self.cloud_controller:
            raise ValueError("ingress needs the cloud_controller: it makes the load balancer")
        if self.workloads:
            if self.database is None:
                raise ValueError("workloads need a database: OwnDatabase or ExternalDatabase")
            _require_connections(self.workloads, self.database)
            if self.workloads.host and not (self.ingress and self.certificates):
                raise ValueError(f"serving {self.workloads.host} needs ingress and certificates")
            if self.storage and self.storage.keep_volumes and self.workloads.cells.storage_class == STORAGE_CLASS:
                raise ValueError(
                    f"volumes of {STORAGE_CLASS} are kept, so no cell could ever be destroyed; leave "
                    f"workloads.cells.storageClass out (then it is {CELLS_STORAGE_CLASS}), or name a class that deletes"
                )
            if self.workloads.scale_by_metrics and not (self.monitoring and self.monitoring.custom_metrics):
                raise ValueError("scale_by_metrics needs monitoring with custom_metrics")
        return self
