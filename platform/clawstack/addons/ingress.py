"""Traefik behind a Hetzner load balancer."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.charts import chart_of, requests
from clawstack.addons.hetzner import CLOUD_CONTROLLER
from clawstack.addons.model import Addon
from clawstack.addons.objects import Objects
from clawstack.addons.settings import AddonsSettings, Ingress

NAMESPACE: Final = "traefik"
INGRESS: Final = "ingress"
#: What its pods carry, for network rules of those whom it calls.
POD_LABELS: Final = {"app.kubernetes.io/name": "traefik"}
_BALANCER: Final = "load-balancer.hetzner.cloud"


def ingress(settings: AddonsSettings, own: Ingress) -> Addon:
    """The load balancer's name is the cluster's: a new release of the chart keeps the address."""
    objects = Objects(cluster=settings.cluster, app="traefik")
    values: dict[str, Any] = {
        "deployment": {"replicas": own.replicas},
        "podDisruptionBudget": {"enabled": own.replicas > 1, "maxUnavailable": 1},
        "ingressClass": {"enabled": True, "isDefaultClass": True, "name": "traefik"},
        "providers": {
            "kubernetesIngress": {"enabled": True},
            "kubernetesCRD": {"enabled": True, "allowCrossNamespace": False},
            "kubernetesGateway": {"enabled": own.gateway_api},
        },
        "gateway": {"enabled": own.gateway_api},
        "ports": {"web": {"http": {"redirections": {"entryPoint": {"to": "websecure", "scheme": "https"}}}}},
        "resources": requests("100m", "256Mi"),
        "service": {"annotations": _balancer(settings, own)},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    return Addon(
        key=INGRESS,
        before=(objects.namespace(NAMESPACE, "restricted"),),
        charts=(chart_of(settings, "traefik", NAMESPACE, values),),
        needs=(CLOUD_CONTROLLER,),
    )


def _balancer(settings: AddonsSettings, own: Ingress) -> dict[str, str]:
    return {
        f"{_BALANCER}/name": f"{settings.cluster}-ingress",
        f"{_BALANCER}/location": own.location,
        f"{_BALANCER}/type": own.load_balancer_type,
        f"{_BALANCER}/use-private-ip": "true",
    }
