"""PostgreSQL for clawstack: run by CloudNativePG in the cluster, or elsewhere."""

from __future__ import annotations

from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import STORAGE_CLASS, AddonsSettings, ExternalDatabase, OwnDatabase
from clawstack.addons.charts.hetzner import STORAGE
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "cnpg-system"
DATABASE: Final = "database"
#: Name of the PostgreSQL cluster; its pods carry it as `cnpg.io/cluster`.
CLUSTER: Final = "clawstack-db"
POD_LABELS: Final = {"cnpg.io/cluster": CLUSTER}
OPERATOR_LABELS: Final = {"app.kubernetes.io/name": "cloudnative-pg"}
PORT: Final = 5432
METRICS_PORT: Final = 9187
STATUS_PORT: Final = 8000
"""Where the operator asks an instance how it is (CloudNativePG documentation, networking)."""
URL_KEY: Final = "uri"


def url_secret(database: OwnDatabase | ExternalDatabase) -> str:
    """The Secret, in the workloads' namespace, whose key `uri` is the address with user and password."""
    return f"{CLUSTER}-app" if isinstance(database, OwnDatabase) else "clawstack-database"


def operator(settings: AddonsSettings) -> Addon:
    """CloudNativePG itself."""
    objects = Objects(cluster=settings.cluster, app="cloudnative-pg")
    values: dict[str, Any] = {"resources": requests("50m", "256Mi")}
    return Addon(
        key=DATABASE,
        before=(objects.namespace(NAMESPACE, "restricted"),),
        charts=(chart_of(settings, "cloudnative-pg", NAMESPACE, values),),
        needs=(STORAGE,) if settings.storage else (),
    )


def own_cluster(objects: Objects, settings: AddonsSettings, own: OwnDatabase) -> dict[str, Any]:
    """Specification of the PostgreSQL cluster."""
    storage_class = own.storage_class or (STORAGE_CLASS if settings.storage else None)
    return {
        "instances": own.instances,
        "imageName": own.image,
        "bootstrap": {"initdb": {"database": "clawstack", "owner": "clawstack", "dataChecksums": True}},
        "storage": {
            "size": f"{own.storage_gb}Gi",
            **({"storageClass": storage_class} if storage_class else {}),
        },
        "resources": requests("250m", f"{own.memory_gb}Gi"),
        "affinity": {"enablePodAntiAffinity": True, "topologyKey": "kubernetes.io/hostname", **own.place.pod_fields()},
        "postgresql": {
            "parameters": {"max_connections": str(own.max_connections), "idle_in_transaction_session_timeout": "60s"}
        },
        "inheritedMetadata": {"labels": objects.labels()},
    }


def external_secret(objects: Objects, namespace: str, own: ExternalDatabase) -> Manifest:
    """The Secret with the address of a database elsewhere."""
    return objects.secret(url_secret(own), namespace, data={URL_KEY: SecretName.DATABASE_URL})
