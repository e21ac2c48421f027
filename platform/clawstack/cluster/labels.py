"""How a cluster's things are found at Hetzner: by this project's labels, and by those of Hetzner's own controllers."""

from __future__ import annotations

from typing import Final

from clawstack.labels import platform_labels

#: Written by Hetzner's own controllers on what they make inside the cluster's network.
CCM_SERVICE: Final = "hcloud-ccm/service-uid"
CSI_MANAGED_BY: Final = "managed-by"
CSI_DRIVER: Final = "csi-driver"
AUTOSCALER_GROUP: Final = "hcloud/node-group"


def selector(cluster: str, *, role: str | None = None) -> str:
    """Label selector that finds the objects of one cluster, in Hetzner's syntax.

    Sorted: the load balancer's target is replaced when the text changes.
    """
    return ",".join(f"{key}={value}" for key, value in sorted(platform_labels(cluster=cluster, role=role).items()))
