"""Where the programs of the test cluster are on this machine, once they were set up."""

from __future__ import annotations

from toolchain.cluster.components import Programs
from toolchain.cluster.packages import CONTAINERD, ETCD
from toolchain.cluster.pins import COREDNS_BUILD, KUBERNETES_BUILD, LOCAL_PATH_BUILD
from toolchain.ground.surroundings import Surroundings


def programs(around: Surroundings) -> Programs:
    """All of them. Raises NeedsAttentionError when a package of the system is missing."""
    return Programs(
        kubernetes=KUBERNETES_BUILD.binaries(around),
        coredns=COREDNS_BUILD.binaries(around) / "coredns",
        provisioner=LOCAL_PATH_BUILD.binaries(around) / "local-path-provisioner",
        etcd=ETCD.require(around),
        containerd=CONTAINERD.require(around),
        ctr=CONTAINERD.require(around).with_name("ctr"),
    )
