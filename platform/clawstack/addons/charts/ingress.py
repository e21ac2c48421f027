"""Traefik behind a Hetzner load balancer."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, ManifestBundle
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.pins import pin_of
from clawstack.addons.base.settings import AddonsSettings, Ingress
from clawstack.addons.charts.hetzner import CLOUD_CONTROLLER
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "traefik"
INGRESS: Final = "ingress"
#: What its pods carry, for network rules of those whom it calls.
POD_LABELS: Final = {"app.kubernetes.io/name": "traefik"}
_HTTPS: Final = {"to": "websecure", "scheme": "https", "permanent": True}
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
        # Everything goes to https, but for cert-manager's answers to Let's Encrypt.
        "ports": {"web": {"allowACMEByPass": True, "http": {"redirections": {"entryPoint": dict(_HTTPS)}}}},
        "resources": requests("100m", "256Mi"),
        "service": {"annotations": _balancer(settings, own)},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    return Addon(
        key=INGRESS,
        before=(objects.namespace(NAMESPACE, "restricted"),),
        charts=(chart_of(settings, "traefik", NAMESPACE, values),),
        bundles=(_gateway_kinds(settings),) if own.gateway_api else (),
        needs=(CLOUD_CONTROLLER,),
    )


def _gateway_kinds(settings: AddonsSettings) -> ManifestBundle:
    """Kinds of the Gateway API: Traefik's chart does not bring them."""
    pin = pin_of("gateway-api", settings.versions)
    return ManifestBundle(name="gateway-kinds", url=f"{pin.repo}/{pin.version}/standard-install.yaml")


def _balancer(settings: AddonsSettings, own: Ingress) -> dict[str, str]:
    return {
        f"{_BALANCER}/name": f"{settings.cluster}-ingress",
        f"{_BALANCER}/location": own.location,
        f"{_BALANCER}/type": own.load_balancer_type,
        f"{_BALANCER}/use-private-ip": "true",
    }
