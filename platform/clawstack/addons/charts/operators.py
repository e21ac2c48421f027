"""The External Secrets operator and the store that it fetches from."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import AddonsSettings, ExternalSecrets, VaultStore
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "external-secrets"
EXTERNAL_SECRETS: Final = "external-secrets"


STORE: Final = "clawstack"


def external_secrets(settings: AddonsSettings, own: ExternalSecrets) -> Addon:
    """The store comes after the chart: it brings its kind."""
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
        after=tuple(_store(objects, settings, vault) for vault in (own.vault,) if vault is not None),
    )


def _store(objects: Objects, settings: AddonsSettings, vault: VaultStore) -> Manifest:
    """For the services' namespace alone: whoever may make objects in another one gets nothing out of it."""
    account = {"name": "external-secrets", "namespace": NAMESPACE}
    provider = {
        "server": vault.server,
        "path": vault.path,
        "version": "v2",
        "auth": {"kubernetes": {"mountPath": vault.mount_path, "role": vault.role, "serviceAccountRef": account}},
        **({"caBundle": vault.ca_bundle} if vault.ca_bundle else {}),
    }
    served = settings.workloads.namespace if settings.workloads else STORE
    spec = {"conditions": [{"namespaces": [served]}], "provider": {"vault": provider}}
    return objects.object("external-secrets.io/v1", "ClusterSecretStore", STORE, None, spec=spec)
