"""The cluster autoscaler for Hetzner: its machines join with the same user data as all others."""

from __future__ import annotations

import json
from typing import Any, Final

from clawstack.addons.base.model import Addon, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.pins import pin_of
from clawstack.addons.base.settings import AddonsSettings, AutoscaledPool, Autoscaler
from clawstack.addons.charts.hetzner import CLOUD_CONTROLLER, SECRET
from clawstack.addons.charts.shipped import chart_of, requests
from clawstack.k3s import NodeRole, NodeSettings, user_data
from clawstack.labels import POOL

NAMESPACE: Final = "kube-system"
AUTOSCALER: Final = "autoscaler"
_CONFIG: Final = "cluster-autoscaler-config"
_MOUNT: Final = "/etc/clawstack-autoscaler"
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"


def autoscaler(settings: AddonsSettings, own: Autoscaler) -> Addon:
    """Runs on a control plane: it must not wait for a worker that only it can make."""
    objects = Objects(cluster=settings.cluster, app="cluster-autoscaler")
    config = objects.secret(_CONFIG, NAMESPACE, data={"config.json": SecretName.AUTOSCALER_CONFIG})
    pin = pin_of("cluster-autoscaler", settings.versions)
    values: dict[str, Any] = {
        "cloudProvider": "hetzner",
        **({"image": {"tag": pin.image}} if pin.image else {}),
        "autoscalingGroups": [_group(pool) for pool in own.pools],
        "extraEnv": {
            "HCLOUD_CLUSTER_CONFIG_FILE": f"{_MOUNT}/config.json",
            "HCLOUD_NETWORK": own.network,
            "HCLOUD_FIREWALL": own.firewall,
            "HCLOUD_SSH_KEY": own.ssh_key,
            "HCLOUD_PUBLIC_IPV4": str(own.public_ipv4).lower(),
            "HCLOUD_PUBLIC_IPV6": "false",
            # Minutes. The default of five is less than a machine may take to join.
            "HCLOUD_SERVER_CREATION_TIMEOUT": "15",
        },
        "extraEnvSecrets": {"HCLOUD_TOKEN": {"name": SECRET, "key": "token"}},
        # A file: as a variable the user data of a few pools is more than Linux takes (kube-hetzner #656).
        "extraVolumeSecrets": {_CONFIG: {"name": _CONFIG, "mountPath": _MOUNT}},
        "extraArgs": {"skip-nodes-with-local-storage": "false", "scale-down-unneeded-time": "15m"},
        "tolerations": [{"key": _CONTROL_PLANE, "operator": "Exists", "effect": "NoSchedule"}],
        "nodeSelector": {_CONTROL_PLANE: "true"},
        "resources": requests("100m", "256Mi"),
    }
    chart = chart_of(settings, "cluster-autoscaler", NAMESPACE, values)
    return Addon(key=AUTOSCALER, before=(config,), charts=(chart,), needs=(CLOUD_CONTROLLER,))


def autoscaler_config(own: Autoscaler, *, agent_token: str) -> str:
    """What the autoscaler makes machines from, as its file: images, and per pool user data, labels and taints.

    Holds the agent token. The autoscaler must know labels and taints too: it asks itself whether a pod would fit.
    """
    return json.dumps(
        {
            "imagesForArch": {architecture.go_name: image for architecture, image in sorted(own.images.items())},
            "nodeConfigs": {
                pool.name: {
                    "cloudInit": user_data(_node(own, pool), agent_token=agent_token),
                    "labels": _labels(pool),
                    "taints": [taint.model_dump() for taint in pool.taints],
                }
                for pool in own.pools
            },
        }
    )


def _group(pool: AutoscaledPool) -> dict[str, Any]:
    return {
        "name": pool.name,
        "instanceType": pool.server_type.upper(),
        "region": pool.location.upper(),
        "minSize": pool.minimum,
        "maxSize": pool.maximum,
    }


def _labels(pool: AutoscaledPool) -> dict[str, str]:
    return {**pool.labels, POOL: pool.name}


def _node(own: Autoscaler, pool: AutoscaledPool) -> NodeSettings:
    return NodeSettings(
        name=None,
        role=NodeRole.WORKER,
        cluster=own.cluster,
        private_address=None,
        labels=_labels(pool),
        taints=pool.taints,
        arch=pool.arch,
    )
