"""What a node and its cluster are, as H5's cluster and the operator say it; checked before anything is rendered."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from clawstack.frozen import FrozenSection
from clawstack.k3s.release import Architecture, K3sRelease, pinned_release

#: RFC 1918, what Hetzner's private networks may be. Python's own `is_private` takes documentation networks for private.
_PRIVATE_NETWORKS: Final = tuple(
    ipaddress.IPv4Network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_CONTROL_PLANES: Final = (1, 3)
_NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_LABEL_KEY: Final = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$"
_LABEL_VALUE: Final = r"^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$"
_HOST: Final = r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$"
#: What a kubelet may say about itself below kubernetes.io; anything else keeps it from joining (Kubernetes
#: documentation, NodeRestriction).
_OWN_KUBERNETES_LABELS: Final = (
    "node.kubernetes.io/",
    "kubelet.kubernetes.io/",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)


def _private(value: str) -> str:
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not an IPv4 address of the private network") from None
    if not any(address in network for network in _PRIVATE_NETWORKS):
        raise ValueError(f"{value} is not an address of a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)")
    return str(address)


def _network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise ValueError(f"{value[:60]!r} is not an IPv4 network such as 10.42.0.0/16") from None
    if not any(network.subnet_of(private) for private in _PRIVATE_NETWORKS):
        raise ValueError(f"{value} is not a private network")
    return str(network)


PrivateAddress = Annotated[str, AfterValidator(_private)]
Network = Annotated[str, AfterValidator(_network)]
Name = Annotated[str, Field(pattern=_NAME)]


class NodeRole(StrEnum):
    """What a node is for."""

    CONTROL_PLANE = "control-plane"
    """Runs etcd and the Kubernetes API."""
    WORKER = "worker"


class Taint(FrozenSection):
    """Keeps pods off a node that do not tolerate it."""

    key: Annotated[str, Field(pattern=_LABEL_KEY)]
    value: Annotated[str, Field(pattern=_LABEL_VALUE)] = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]

    def text(self) -> str:
        """As K3s reads it."""
        return f"{self.key}={self.value}:{self.effect}"


class TokenEscrow(StrEnum):
    """Where the server token is kept apart from the snapshots: without it no snapshot can be restored."""

    STACK_STATE = "stack-state"
    """In the platform stack's encrypted state, which must not lie in the snapshots' bucket."""
    OPERATOR = "operator"
    """The operator gives the token to the stack and keeps it in a vault of their own."""


class EtcdSnapshots(FrozenSection):
    """Snapshots of etcd in an S3 bucket. The keys are in a Secret of the cluster, never in user data."""

    endpoint: Annotated[str, Field(pattern=_HOST)]
    """Host, without https://."""
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    folder: Annotated[str, Field(pattern=r"^[\w./-]{0,200}$")] = "etcd"
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{2,40}$")]
    schedule: Annotated[str, Field(pattern=r"^[\d*/, -]{9,60}$")] = "0 */6 * * *"
    """Cron, UTC."""
    retention: Annotated[int, Field(ge=1, le=500)] = 28
    """Snapshots kept per control plane: a week at the default schedule."""
    token_escrow: TokenEscrow


class AuditLog(FrozenSection):
    """The Kubernetes API's own record of who did what, on each control plane."""

    max_age_days: Annotated[int, Field(ge=1, le=365)] = 30
    max_files: Annotated[int, Field(ge=1, le=100)] = 10
    max_size_mb: Annotated[int, Field(ge=1, le=1000)] = 100


class ClusterSettings(FrozenSection):
    """What all nodes of one cluster share."""

    name: Name
    control_planes: tuple[PrivateAddress, ...]
    """Private addresses of one or three machines, the first one's first."""
    api_load_balancer: PrivateAddress | None = None
    """Private address of the load balancer before the API, where there is one."""
    api_sans: tuple[Annotated[str, Field(pattern=_HOST)], ...] = ()
    """Further names and addresses under which the API is called: the load balancer's public address, a DNS name."""
    initialise: bool = True
    """False once the cluster exists: then no node can make a second one, whatever it fails to reach."""
    release: K3sRelease = Field(default_factory=pinned_release)
    node_network: Network | None = None
    """Where machines that the autoscaler makes get their addresses; needed only for those."""
    pod_network: Network = "10.42.0.0/16"
    service_network: Network = "10.43.0.0/16"
    pod_traffic: Literal["wireguard-native", "vxlan"] = "wireguard-native"
    """`wireguard-native` encrypts traffic between nodes; `vxlan` does not."""
    pod_security: Literal["restricted", "baseline"] = "restricted"
    """What namespaces without labels of their own enforce."""
    audit: AuditLog | None = Field(default_factory=AuditLog)
    snapshots: EtcdSnapshots | None = None
    """None: K3s still keeps snapshots on the control planes' own disks, which die with them."""
    external_cloud_controller: bool = True
    """Nodes take no pods until Hetzner's controller (the add-on `cloudController`) has looked at them. False: K3s' own
    does, which knows nothing of Hetzner; for trials without add-ons."""
    local_storage: bool = False
    """K3s' local-path volumes. They enforce no size: only for development."""
    authorized_keys: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    """SSH keys besides those that Hetzner lays down."""

    @model_validator(mode="after")
    def _addresses_are_apart(self) -> Self:
        if len(set(self.control_planes)) != len(self.control_planes):
            raise ValueError("control_planes names an address twice")
        if len(self.control_planes) not in _CONTROL_PLANES:
            raise ValueError(
                f"{len(self.control_planes)} control planes: an even number survives no more failures than one fewer, "
                "and more than three only make etcd slower; use 1 or 3"
            )
        pods, services = ipaddress.IPv4Network(self.pod_network), ipaddress.IPv4Network(self.service_network)
        if pods.overlaps(services):
            raise ValueError(f"pod_network {pods} and service_network {services} overlap")
        for address in (*self.control_planes, *([self.api_load_balancer] if self.api_load_balancer else [])):
            if any(ipaddress.IPv4Address(address) in network for network in (pods, services)):
                raise ValueError(f"{address} lies in the pods' or services' network")
        return self

    def dns_address(self) -> str:
        """The cluster's DNS server: the tenth address of the service network, as K3s chooses it."""
        return str(ipaddress.IPv4Network(self.service_network)[10])


class NodeSettings(FrozenSection):
    """One machine of the cluster."""

    name: Name | None
    """None: the machine's own host name, which the autoscaler gives."""
    role: NodeRole
    first: bool = False
    """Makes the cluster if none of the other control planes has one. Exactly one node, a control plane."""
    cluster: ClusterSettings
    private_address: PrivateAddress | None
    """None: the address that the machine has in the cluster's `node_network`."""
    labels: Mapping[Annotated[str, Field(pattern=_LABEL_KEY)], Annotated[str, Field(pattern=_LABEL_VALUE)]] = Field(
        default_factory=dict
    )
    taints: tuple[Taint, ...] = ()
    arch: Architecture

    @model_validator(mode="after")
    def _fits_its_cluster(self) -> Self:
        if (self.name is None) != (self.private_address is None):
            raise ValueError("a node has a name and an address, or neither")
        if self.private_address is None and (
            self.role is not NodeRole.WORKER or self.first or self.cluster.node_network is None
        ):
            raise ValueError("only workers of a cluster with a node_network can be without name and address")
        known = self.private_address in self.cluster.control_planes
        if self.role is NodeRole.CONTROL_PLANE and not known:
            raise ValueError(f"{self.private_address} is not among the cluster's control planes")
        if self.role is NodeRole.WORKER and known:
            raise ValueError(f"{self.private_address} is a control plane's address")
        if self.first and self.private_address != self.cluster.control_planes[0]:
            raise ValueError("only the control plane whose address comes first can be the first node")
        for key in self.labels:
            domain = key.rpartition("/")[0]
            reserved = domain in {"kubernetes.io", "k8s.io"} or domain.endswith((".kubernetes.io", ".k8s.io"))
            if reserved and not key.startswith(_OWN_KUBERNETES_LABELS):
                raise ValueError(f"a node may not give itself the label {key}; the API would refuse it")
        return self
