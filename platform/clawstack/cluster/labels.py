"""Labels of everything the cluster has at Hetzner: the firewall, the load balancer and the sweep find it by them."""

from __future__ import annotations

from typing import Final

from clawstack.labels import MANAGED_BY

CLUSTER: Final = "clawstack.dev/cluster"
ROLE: Final = "clawstack.dev/role"
POOL: Final = "clawstack.dev/pool"

#: Written by Hetzner's own controllers on what they make inside the cluster's network.
CCM_SERVICE: Final = "hcloud-ccm/service-uid"
CSI_MANAGED_BY: Final = "managed-by"
CSI_DRIVER: Final = "csi-driver"
AUTOSCALER_GROUP: Final = "hcloud/node-group"


def cluster_labels(cluster: str, *, role: str | None = None, pool: str | None = None) -> dict[str, str]:
    """Labels of one object of the cluster."""
    labels = {MANAGED_BY: "clawstack", CLUSTER: cluster}
    if role is not None:
        labels[ROLE] = role
    if pool is not None:
        labels[POOL] = pool
    return labels


def selector(cluster: str, *, role: str | None = None) -> str:
    """Label selector that finds the objects of one cluster, in Hetzner's syntax."""
    return ",".join(f"{key}={value}" for key, value in cluster_labels(cluster, role=role).items())
