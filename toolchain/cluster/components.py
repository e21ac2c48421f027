"""The processes of a cluster: what each is started with and how it shows that it is there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolchain.cluster.layout import NODE_NAME, Layout
from toolchain.cluster.manifests import PROVISIONER, VOLUME_NAMESPACE


@dataclass(frozen=True, kw_only=True)
class Programs:
    """The binaries that a cluster is started from."""

    kubernetes: Path
    coredns: Path
    provisioner: Path
    etcd: Path
    containerd: Path
    ctr: Path

    @property
    def kubectl(self) -> Path:
        """The command line of Kubernetes."""
        return self.kubernetes / "kubectl"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A sign of life: an HTTP path that answers 200, or a socket that takes a connection."""

    kind: Literal["http", "https", "socket", "none"]
    port: int = 0
    path: str = ""
    host: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Component:
    """One process."""

    name: str
    command: tuple[str, ...]
    probe: Probe


def components(layout: Layout, programs: Programs) -> tuple[Component, ...]:
    """All processes, in the order in which they are started; they are stopped the other way round."""
    return (
        _etcd(layout, programs),
        _containerd(layout, programs),
        _api_server(layout, programs),
        _controller_manager(layout, programs),
        _scheduler(layout, programs),
        _kubelet(layout, programs),
        _proxy(layout, programs),
        _coredns(layout, programs),
        _provisioner(layout, programs),
    )


def _flags(program: Path, *fixed: str, **flags: str) -> tuple[str, ...]:
    return (str(program), *fixed, *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items()))


def _etcd(layout: Layout, programs: Programs) -> Component:
    client, peer = (f"://127.0.0.1:{port}" for port in (layout.ports.etcd, layout.ports.etcd_peer))
    command = _flags(
        programs.etcd,
        "--unsafe-no-fsync",  # the data dies with the cluster; waiting for the disk would only cost time
        "--client-cert-auth",
        data_dir=f"{layout.data}/etcd",
        listen_client_urls=f"https{client}",
        advertise_client_urls=f"https{client}",
        listen_peer_urls=f"http{peer}",
        initial_advertise_peer_urls=f"http{peer}",
        initial_cluster=f"default=http{peer}",
        trusted_ca_file=str(layout.pki / "ca.crt"),
        cert_file=str(layout.pki / "etcd.crt"),
        key_file=str(layout.pki / "etcd.key"),
        logger="zap",
        log_level="warn",
    )
    return Component(name="etcd", command=command, probe=Probe(kind="https", port=layout.ports.etcd, path="/health"))


def _containerd(layout: Layout, programs: Programs) -> Component:
    command = _flags(programs.containerd, config=f"{layout.configs}/containerd.toml")
    return Component(name="containerd", command=command, probe=Probe(kind="socket", path=str(layout.containerd_socket)))


def _api_server(layout: Layout, programs: Programs) -> Component:
    pki = layout.pki
    command = _flags(
        programs.kubernetes / "kube-apiserver",
        etcd_servers=f"https://127.0.0.1:{layout.ports.etcd}",
        etcd_cafile=str(pki / "ca.crt"),
        etcd_certfile=str(pki / "apiserver.crt"),
        etcd_keyfile=str(pki / "apiserver.key"),
        bind_address=layout.network.node_ip,
        advertise_address=layout.network.node_ip,
        secure_port=str(layout.ports.api),
        tls_cert_file=str(pki / "apiserver.crt"),
        tls_private_key_file=str(pki / "apiserver.key"),
        client_ca_file=str(pki / "ca.crt"),
        service_account_key_file=str(pki / "accounts.pub"),
        service_account_signing_key_file=str(pki / "accounts.key"),
        service_account_issuer="https://kubernetes.default.svc",
        service_cluster_ip_range=layout.network.services,
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction,PodSecurity",
        # Else logs and exec look the node's name up in DNS.
        kubelet_preferred_address_types="InternalIP",
        kubelet_client_certificate=str(pki / "admin.crt"),
        kubelet_client_key=str(pki / "admin.key"),
        kubelet_certificate_authority=str(pki / "ca.crt"),
        allow_privileged="true",
        profiling="false",
    )
    probe = Probe(kind="https", host=layout.network.node_ip, port=layout.ports.api, path="/readyz")
    return Component(name="kube-apiserver", command=command, probe=probe)


def _controller_manager(layout: Layout, programs: Programs) -> Component:
    file, port = str(layout.kubeconfig("controller-manager")), layout.ports.controller_manager
    command = _flags(
        programs.kubernetes / "kube-controller-manager",
        "--use-service-account-credentials",
        kubeconfig=file,
        authentication_kubeconfig=file,
        authorization_kubeconfig=file,
        service_account_private_key_file=str(layout.pki / "accounts.key"),
        root_ca_file=str(layout.pki / "ca.crt"),
        cluster_cidr=layout.network.pods,
        leader_elect="false",
        bind_address="127.0.0.1",
        secure_port=str(port),
        profiling="false",
        # A killed kubelet is noticed within a test's patience.
        node_monitor_grace_period="20s",
    )
    probe = Probe(kind="https", port=port, path="/healthz")
    return Component(name="kube-controller-manager", command=command, probe=probe)


def _scheduler(layout: Layout, programs: Programs) -> Component:
    file, port = str(layout.kubeconfig("scheduler")), layout.ports.scheduler
    command = _flags(
        programs.kubernetes / "kube-scheduler",
        kubeconfig=file,
        authentication_kubeconfig=file,
        authorization_kubeconfig=file,
        leader_elect="false",
        bind_address="127.0.0.1",
        secure_port=str(port),
        profiling="false",
    )
    return Component(name="kube-scheduler", command=command, probe=Probe(kind="https", port=port, path="/healthz"))


def _kubelet(layout: Layout, programs: Programs) -> Component:
    command = _flags(
        programs.kubernetes / "kubelet",
        config=f"{layout.configs}/kubelet.yaml",
        kubeconfig=str(layout.kubeconfig("kubelet")),
        hostname_override=NODE_NAME,
        node_ip=layout.network.node_ip,
        root_dir=str(layout.kubelet),
    )
    return Component(
        name="kubelet", command=command, probe=Probe(kind="http", port=layout.ports.kubelet_health, path="/healthz")
    )


def _proxy(layout: Layout, programs: Programs) -> Component:
    command = _flags(
        programs.kubernetes / "kube-proxy", config=f"{layout.configs}/proxy.yaml", hostname_override=NODE_NAME
    )
    return Component(
        name="kube-proxy", command=command, probe=Probe(kind="http", port=layout.ports.proxy_health, path="/livez")
    )


def _coredns(layout: Layout, programs: Programs) -> Component:
    command = (str(programs.coredns), "-conf", f"{layout.configs}/Corefile")
    return Component(
        name="coredns", command=command, probe=Probe(kind="http", port=layout.ports.dns_ready, path="/ready")
    )


def _provisioner(layout: Layout, programs: Programs) -> Component:
    command = (
        str(programs.provisioner),
        "start",
        *("--config", f"{layout.configs}/volumes.json"),
        *("--kubeconfig", str(layout.kubeconfig("volumes"))),
        *("--namespace", VOLUME_NAMESPACE),
        *("--provisioner-name", PROVISIONER),
        *("--service-account-name", "default"),
        *("--worker-threads", "8"),
    )
    return Component(name="local-path-provisioner", command=command, probe=Probe(kind="none"))
