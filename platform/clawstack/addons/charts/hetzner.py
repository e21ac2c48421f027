"""What ties the cluster to Hetzner: the cloud controller manager and the storage driver."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import AddonsSettings, CloudController, Storage
from clawstack.addons.charts.shipped import chart_of

NAMESPACE: Final = "kube-system"
SECRET: Final = "hcloud"  # noqa: S105 - the name that Hetzner's charts look for
CLOUD_CONTROLLER: Final = "cloud-controller"
STORAGE: Final = "storage"
STORAGE_CLASS: Final = "hcloud-volumes"


def cloud_controller(settings: AddonsSettings, own: CloudController) -> Addon:
    """Comes first: until it has looked at a node, nothing else may run there."""
    objects = Objects(cluster=settings.cluster, app="hcloud")
    values: dict[str, Any] = {
        "networking": {"enabled": True, "clusterCIDR": settings.pod_network},
        "env": {
            # flannel carries the pods' traffic; Hetzner's routes would only count against their limit of 100.
            "HCLOUD_NETWORK_ROUTES_ENABLED": {"value": "false"},
            "HCLOUD_LOAD_BALANCERS_LOCATION": {"value": own.location},
            "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP": {"value": "true"},
        },
    }
    secret = objects.secret(SECRET, NAMESPACE, data={"token": SecretName.HCLOUD_TOKEN, "network": own.network})
    chart = chart_of(settings, "hcloud-cloud-controller-manager", NAMESPACE, values)
    return Addon(key=CLOUD_CONTROLLER, before=(secret,), charts=(chart,))


def storage(settings: AddonsSettings, own: Storage) -> Addon:
    """Uses the same Secret as the controller."""
    values: dict[str, Any] = {
        "controller": {"hcloudToken": {"existingSecret": {"name": SECRET, "key": "token"}}},
        # The metadata service is closed to pods; on the node's own network the driver still reaches it.
        "node": {"hostNetwork": True},
        "storageClasses": [
            {
                "name": STORAGE_CLASS,
                "defaultStorageClass": own.default_class,
                "reclaimPolicy": "Retain" if own.keep_volumes else "Delete",
            }
        ],
    }
    chart = chart_of(settings, "hcloud-csi", NAMESPACE, values)
    return Addon(key=STORAGE, charts=(chart,), needs=(CLOUD_CONTROLLER,))
