"""Where everything of one cluster lies: folders, ports, addresses. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

DEFAULT_DATA: Final = Path("/var/lib/clawstack-cluster")
NODE_NAME: Final = "clawstack-node"
STORAGE_CLASS: Final = "local-path"
CLUSTER_DOMAIN: Final = "cluster.local"
MARK: Final = "CLAWSTACK_CLUSTER_RUN"
"""Environment variable that every process of a cluster carries, so that even one whose number was not written down
before its starter was killed is known again."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Addresses of the node, its pods and its Services: three parts of one range that nothing else here may use."""

    whole: str = "10.214.0.0/16"
    interface: str = "clawstack0"

    def _part(self, index: int) -> IPv4Network:
        return list(IPv4Network(self.whole).subnets(prefixlen_diff=2))[index]

    @property
    def node_ip(self) -> str:
        """This machine, as pods reach it."""
        return str(self._part(0)[1])

    @property
    def pods(self) -> str:
        """Addresses of pods."""
        return str(self._part(1))

    @property
    def services(self) -> str:
        """Addresses of Services."""
        return str(self._part(2))

    @property
    def api_service_ip(self) -> str:
        """The Service `kubernetes`: the API server gives itself the first address."""
        return str(self._part(2)[1])

    @property
    def dns_ip(self) -> str:
        """The Service `kube-dns`."""
        return str(self._part(2)[10])


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Ports of one run, drawn outside the range from which the kernel takes its own, so that a restart finds them free."""

    etcd: int
    etcd_peer: int
    api: int
    controller_manager: int
    scheduler: int
    kubelet: int
    kubelet_health: int
    proxy_health: int
    proxy_metrics: int
    dns: int
    dns_ready: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One run of a cluster."""

    run: str
    """Drawn anew at every start."""
    data: Path
    network: Network
    ports: Ports

    @property
    def server(self) -> str:
        """The API server's address, from this machine and from pods."""
        return f"https://{self.network.node_ip}:{self.ports.api}"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.data / "pki"

    @property
    def logs(self) -> Path:
        """One log file per component."""
        return self.data / "logs"

    @property
    def configs(self) -> Path:
        """Configuration files of the components."""
        return self.data / "configs"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.data / "containerd.sock"

    @property
    def containerd_root(self) -> Path:
        """Images and snapshots."""
        return self.data / "containerd"

    @property
    def volumes(self) -> Path:
        """Directories behind PersistentVolumes."""
        return self.data / "volumes"

    @property
    def kubelet(self) -> Path:
        """The kubelet's own folder."""
        return self.data / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Output of containers."""
        return self.data / "pod-logs"

    @property
    def admin_kubeconfig(self) -> Path:
        """The administrator's way in, everything embedded."""
        return self.data / "admin.kubeconfig"

    def kubeconfig(self, user: str) -> Path:
        """The way in of one component."""
        return self.configs / f"{user}.kubeconfig"

    @property
    def cgroup(self) -> str:
        """Below which all pods' groups lie; each run has its own, so that none inherits what another could not remove."""
        return f"clawstack-cluster-{self.run}"
