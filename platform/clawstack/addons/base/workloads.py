"""What an operator says about clawstack's own services in the cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from clawstack.frozen import FrozenSection
from clawstack.placement import Place

_NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
#: A tag and a digest: the tag tells people what it is, the digest is what is run.
_IMAGE: Final = r"^[a-z0-9][a-z0-9._:/-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@sha256:[0-9a-f]{64}$"


class WorkloadRole(StrEnum):
    """One process: `clawstack serve --role ...`."""

    API = "api"
    WORKER = "worker"
    PROXY = "proxy"
    ROUTER = "router"


#: Pools of a pod of each role, and its connections beside them: the worker's queue (6) and what listens for it; the
#: router's listener and the locks of its two pollers. A test holds them against the services.
_POOLS: Final = {WorkloadRole.PROXY: 2}
_BESIDE: Final = {WorkloadRole.API: 1, WorkloadRole.WORKER: 7, WorkloadRole.ROUTER: 3}


def connections_of(role: WorkloadRole, pool: int) -> int:
    """Most connections of one pod whose pools have `pool` each."""
    return _POOLS.get(role, 1) * pool + _BESIDE.get(role, 0)


class Size(FrozenSection):
    """How many pods of a role, and how large."""

    minimum: Annotated[int, Field(ge=1, le=100)]
    maximum: Annotated[int, Field(ge=1, le=100)]
    cpu_request: Annotated[str, Field(pattern=r"^\d+m$")] = "100m"
    cpu_limit: Annotated[str, Field(pattern=r"^\d+m$")] = "2000m"
    memory: Annotated[str, Field(pattern=r"^\d+Mi$")] = "512Mi"
    """Request and limit: a pod that may take more than it asked for gets its node into trouble."""

    pool: Annotated[int, Field(ge=2, le=200)] = 8
    """Connections to the database of each of a pod's pools (CLAWSTACK_DATABASE_POOL)."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Backups(FrozenSection):
    """The volume on which verified backups of cells lie. The api deletes them, the worker makes them: both mount it."""

    size_gb: Annotated[int, Field(ge=10, le=10_000)] = 50
    storage_class: Annotated[str, Field(pattern=_NAME)] | None = None
    shared: bool = False
    """True for a class that several nodes can mount at once (ReadWriteMany). Hetzner's volumes cannot: then there is one
    worker, and the api runs on the worker's node."""


class Cells(FrozenSection):
    """What the services must know to make cells of this cluster's namespaces."""

    image: Annotated[str, Field(pattern=_IMAGE)]
    """OpenClaw's."""
    storage_class: Annotated[str, Field(pattern=_NAME)] | None = None
    """Where none is given: the class of cells of the add-on `storage`, without that the cluster's default. It must delete
    volumes with their claims, or no cell can be destroyed."""
    runtime_class: Annotated[str, Field(pattern=_NAME)] | None = None
    """An existing RuntimeClass, such as gVisor's."""
    place: Place = Place()
    """Nodes for cells: those of the pools labelled `clawstack.dev/for: cells` where nothing is said."""
    more: Mapping[str, Any] = Field(default_factory=dict)
    """Further fields of CLAWSTACK_CLUSTER (docs/operators.md), as `route`."""


def _address(value: str) -> str:
    address = ipaddress.ip_address(value)
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        raise ValueError(f"{value} is no address of a control plane")
    return str(address)


class Workloads(FrozenSection):
    """clawstack's own services."""

    image: Annotated[str, Field(pattern=_IMAGE)]
    """One image with the `clawstack` command, Pulumi and its official plugins."""
    image_pull_secret: Annotated[str, Field(pattern=_NAME)] | None = None
    cells: Cells
    namespace: Annotated[str, Field(pattern=_NAME)] = "clawstack"
    host: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    """Name under which customers and webhooks reach the platform; None: only from within the cluster."""
    backup_url: Annotated[str, Field(pattern=r"^s3://\S+$")] | None = None
    """Where verified backups are kept for good (CLAWSTACK_BACKUP_URL; its keys go into `environment`). None: on the
    volume alone, which dies with its disk."""
    kubernetes_api: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], Field(min_length=1)]
    """Private addresses of the control planes: the worker talks to them."""
    kubernetes_api_port: Annotated[int, Field(ge=1, le=65535)] = 6443
    backups: Backups = Field(default_factory=Backups)
    api: Size = Size(minimum=2, maximum=6)
    worker: Size = Size(minimum=1, maximum=1, cpu_request="500m", cpu_limit="4000m", memory="2048Mi", pool=20)
    proxy: Size = Size(minimum=2, maximum=20, pool=5)
    router: Size = Size(minimum=2, maximum=6)
    scale_by_metrics: bool = False
    """Also by the services' own load, not by CPU alone; needs monitoring with custom_metrics."""

    @model_validator(mode="after")
    def _one_worker_without_a_shared_volume(self) -> Self:
        if not self.backups.shared and self.worker.maximum > 1:
            raise ValueError(
                f"{self.worker.maximum} workers need a backups volume that is shared (ReadWriteMany); "
                "with Hetzner's own volumes there is one worker"
            )
        return self

    def connections(self) -> int:
        """Connections to the database when each role has its most pods and one more of each while they are replaced."""
        return sum((self.size(role).maximum + 1) * connections_of(role, self.size(role).pool) for role in WorkloadRole)

    def size(self, role: WorkloadRole) -> Size:
        """How many and how large."""
        sizes = {
            WorkloadRole.API: self.api,
            WorkloadRole.WORKER: self.worker,
            WorkloadRole.PROXY: self.proxy,
            WorkloadRole.ROUTER: self.router,
        }
        return sizes[role]
