"""What keeps the nodes themselves in order: upgrades of K3s, restarts after updates, snapshots of etcd."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest, ManifestBundle, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.pins import pin_of
from clawstack.addons.base.settings import AddonsSettings, Reboots, Upgrades
from clawstack.addons.charts.shipped import chart_of, requests
from clawstack.k3s import EtcdSnapshots, pinned_release
from clawstack.k3s.config import SNAPSHOT_SECRET

UPGRADES: Final = "upgrades"
REBOOTS: Final = "reboots"
SNAPSHOTS: Final = "snapshots"
_UPGRADE_NAMESPACE: Final = "system-upgrade"
"""Made by the controller's own manifest."""
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"


def upgrades(settings: AddonsSettings, own: Upgrades) -> Addon:
    """The controller always; plans only where upgrades are enabled. Workers wait until the control planes are done."""
    pin = pin_of("system-upgrade-controller", settings.versions)
    objects = Objects(cluster=settings.cluster, app="system-upgrade")
    bundles = tuple(
        ManifestBundle(name=f"system-upgrade-{name}", url=f"{pin.repo}/{pin.version}/{file}.yaml")
        for name, file in (("kinds", "crd"), ("controller", "system-upgrade-controller"))
    )
    plans = (_plan(objects, "control-planes", 1), _plan(objects, "workers", own.worker_concurrency))
    return Addon(key=UPGRADES, bundles=bundles, after=plans if own.enabled else ())


def _plan(objects: Objects, name: str, concurrency: int) -> Manifest:
    servers = name == "control-planes"
    spec: dict[str, Any] = {
        "concurrency": concurrency,
        "cordon": True,
        "serviceAccountName": "system-upgrade",
        "version": pinned_release().version,
        "nodeSelector": {
            "matchExpressions": [{"key": _CONTROL_PLANE, "operator": "Exists" if servers else "DoesNotExist"}]
        },
        "tolerations": [{"operator": "Exists"}],
        "upgrade": {"image": "rancher/k3s-upgrade"},
    }
    if not servers:
        spec["prepare"] = {"image": "rancher/k3s-upgrade", "args": ["prepare", "control-planes"]}
        spec["drain"] = {"force": True, "deleteEmptydirData": True, "ignoreDaemonSets": True, "timeout": "900s"}
    return objects.object("upgrade.cattle.io/v1", "Plan", name, _UPGRADE_NAMESPACE, spec=spec)


def reboots(settings: AddonsSettings, own: Reboots) -> Addon:
    """Tolerates every taint: a node that it cannot run on would never be restarted."""
    objects = Objects(cluster=settings.cluster, app="kured")
    values: dict[str, Any] = {
        "configuration": {
            "rebootDays": list(own.days),
            "startTime": own.start,
            "endTime": own.end,
            "timeZone": own.time_zone,
            "concurrency": 1,
            "period": "15m",
            # Gateways may finish their turns (330 s); then the node is restarted all the same.
            "drainTimeout": "15m",
            "forceReboot": True,
            "lockReleaseDelay": "5m",
        },
        "tolerations": [{"operator": "Exists"}],
        "resources": requests("10m", "64Mi"),
    }
    return Addon(
        key=REBOOTS,
        before=(objects.namespace("kured", "privileged"),),
        charts=(chart_of(settings, "kured", "kured", values),),
    )


def snapshots(settings: AddonsSettings, own: EtcdSnapshots) -> Addon:
    """Place and keys for K3s' snapshots: so they are in no user data (K3s documentation, etcd-snapshot)."""
    objects = Objects(cluster=settings.cluster, app="k3s")
    secret = objects.secret(
        SNAPSHOT_SECRET,
        "kube-system",
        data={
            "etcd-s3-endpoint": own.endpoint,
            "etcd-s3-bucket": own.bucket,
            "etcd-s3-folder": own.folder,
            "etcd-s3-region": own.region,
            "etcd-s3-access-key": SecretName.SNAPSHOT_ACCESS_KEY,
            "etcd-s3-secret-key": SecretName.SNAPSHOT_SECRET_KEY,
        },
    )
    return Addon(key=SNAPSHOTS, before=(secret,))
