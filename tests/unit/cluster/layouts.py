"""A layout that no process was started for."""

from __future__ import annotations

from pathlib import Path

from toolchain.cluster.components import Programs
from toolchain.cluster.layout import Layout, Network, Ports


def layout(data: Path) -> Layout:
    names = Ports.__dataclass_fields__
    ports = Ports(**{name: 21000 + index for index, name in enumerate(names)})
    return Layout(run="0123abcd", data=data, network=Network(), ports=ports)


PROGRAMS = Programs(
    kubernetes=Path("/cache/kubernetes/bin"),
    coredns=Path("/cache/coredns/bin/coredns"),
    provisioner=Path("/cache/local_path/bin/local-path-provisioner"),
    etcd=Path("/usr/bin/etcd"),
    containerd=Path("/usr/bin/containerd"),
    ctr=Path("/usr/bin/ctr"),
)
