"""cert-manager and its two issuers at Let's Encrypt."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import AddonsSettings, Certificates
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "cert-manager"
CERTIFICATES: Final = "certificates"
ISSUER: Final = "letsencrypt"
TRIAL_ISSUER: Final = "letsencrypt-staging"
_ACME: Final = {
    TRIAL_ISSUER: "https://acme-staging-v02.api.letsencrypt.org/directory",
    ISSUER: "https://acme-v02.api.letsencrypt.org/directory",
}


def certificates(settings: AddonsSettings, own: Certificates) -> Addon:
    """Issuers come after the chart: it brings their kind."""
    objects = Objects(cluster=settings.cluster, app="cert-manager")
    values: dict[str, Any] = {
        "crds": {"enabled": True, "keep": True},
        "resources": requests("10m", "128Mi"),
        "webhook": {"resources": requests("10m", "64Mi")},
        "cainjector": {"resources": requests("10m", "192Mi")},
        **({"config": {"enableGatewayAPI": True}} if settings.ingress and settings.ingress.gateway_api else {}),
    }
    return Addon(
        key=CERTIFICATES,
        before=(objects.namespace(NAMESPACE, "restricted"),),
        charts=(chart_of(settings, "cert-manager", NAMESPACE, values),),
        after=tuple(_issuer(objects, name, own.email) for name in _ACME),
    )


def _issuer(objects: Objects, name: str, email: str) -> Manifest:
    acme = {
        "server": _ACME[name],
        "email": email,
        "privateKeySecretRef": {"name": f"{name}-account"},
        "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik"}}}],
    }
    return objects.object("cert-manager.io/v1", "ClusterIssuer", name, None, spec={"acme": acme})
