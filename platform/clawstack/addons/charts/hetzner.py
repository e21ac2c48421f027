"""What ties the cluster to Hetzner: the cloud controller manager and the storage driver."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import CELLS_STORAGE_CLASS, STORAGE_CLASS, AddonsSettings, CloudController, Storage
from clawstack.addons.charts.shipped import chart_of
from clawstack.labels import FOR, FOR_CELLS

NAMESPACE: Final = "kube-system"
SECRET: Final = "hcloud"  # noqa: S105 - the name that Hetzner's charts look for
CLOUD_CONTROLLER: Final = "cloud-controller"
STORAGE: Final = "storage"
DRIVER: Final = "csi.hetzner.cloud"
PASSPHRASE: Final = "clawstack-cells-volumes"  # noqa: S105 - the name of a Secret


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
    objects = Objects(cluster=settings.cluster, app="hcloud-csi")
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
    secret = objects.secret(PASSPHRASE, NAMESPACE, data={"encryption-passphrase": SecretName.VOLUME_PASSPHRASE})
    return Addon(
        key=STORAGE,
        before=(secret,) if own.encrypt_cells else (),
        charts=(chart,),
        after=(_class_of_cells(objects, encrypted=own.encrypt_cells),),
        needs=(CLOUD_CONTROLLER,),
    )


def _class_of_cells(objects: Objects, *, encrypted: bool) -> Manifest:
    """Goes with its cell: a backup is what is kept of it.

    The driver lays LUKS below the file system where the node is given `encryption-passphrase` (hcloud-csi documentation,
    "Encrypted volumes"). A class cannot be changed, so the name of the Secret never does.
    """
    publish = "csi.storage.k8s.io/node-publish-secret"
    return objects.object(
        "storage.k8s.io/v1",
        "StorageClass",
        CELLS_STORAGE_CLASS,
        None,
        labels={FOR: FOR_CELLS},
        provisioner=DRIVER,
        reclaimPolicy="Delete",
        allowVolumeExpansion=True,
        volumeBindingMode="WaitForFirstConsumer",  # a volume is made where its pod can run
        **({"parameters": {f"{publish}-name": PASSPHRASE, f"{publish}-namespace": NAMESPACE}} if encrypted else {}),
    )
