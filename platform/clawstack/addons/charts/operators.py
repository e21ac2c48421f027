"""The External Secrets operator."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import AddonsSettings
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "external-secrets"
EXTERNAL_SECRETS: Final = "external-secrets"


def external_secrets(settings: AddonsSettings) -> Addon:
    """Stores are left to the operator: which vault there is, only they know."""
    objects = Objects(cluster=settings.cluster, app="external-secrets")
    values: dict[str, Any] = {
        "installCRDs": True,
        "resources": requests("10m", "128Mi"),
        "webhook": {"resources": requests("10m", "64Mi")},
        "certController": {"resources": requests("10m", "128Mi")},
    }
    return Addon(
        key=EXTERNAL_SECRETS,
        before=(objects.namespace(NAMESPACE, "restricted"),),
        charts=(chart_of(settings, "external-secrets", NAMESPACE, values),),
    )
