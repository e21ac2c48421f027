"""clawstack's own services as one add-on, and what the substrate of cells must know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.addons.base.model import Addon, Manifest, SecretName
from clawstack.addons.base.objects import APP, Objects
from clawstack.addons.base.settings import AddonsSettings, ExternalDatabase
from clawstack.addons.base.workloads import Workloads
from clawstack.addons.charts import certificates, database, ingress, monitoring
from clawstack.addons.workloads import pods
from clawstack.addons.workloads.access import access
from clawstack.addons.workloads.cells import cell_variables, kubeconfig, priority_classes
from clawstack.addons.workloads.entrance import entrance
from clawstack.addons.workloads.network import policies
from clawstack.addons.workloads.pods import (
    BACKUPS,
    CLUSTER,
    ENVIRONMENT,
    KUBECONFIG_KEY,
    NAME,
    PRIORITY,
    STATE,
    STATE_KEY,
)
from clawstack.addons.workloads.scaling import scalers
from clawstack.plans import load_catalogue

WORKLOADS: Final = "workloads"
#: Above every plan's.
_OWN_PRIORITY: Final = 1_000_000


def workloads(settings: AddonsSettings, own: Workloads) -> Addon:
    """Walls before anything that runs."""
    objects = Objects(cluster=settings.cluster, app=NAME)
    needs = [database.DATABASE] if not isinstance(settings.database, ExternalDatabase) else []
    needs += [certificates.CERTIFICATES, ingress.INGRESS] if own.host else []
    needs += [monitoring.MONITORING] if settings.monitoring else []
    return Addon(
        key=WORKLOADS,
        before=(
            objects.namespace(own.namespace, "restricted"),
            *_priorities(objects),
            *policies(objects, settings, own),
        ),
        after=tuple(_contents(objects, settings, own)),
        needs=tuple(needs),
    )


def priorities() -> dict[str, int]:
    """Priority by class, the highest first: when a node is full, the cheaper plan waits. Above them the platform itself."""
    plans = load_catalogue().plans.values()
    classes = priority_classes()
    of_plans = {classes[plan.key]: plan.priority for plan in sorted(plans, key=lambda plan: -plan.priority)}
    return {PRIORITY: _OWN_PRIORITY, **of_plans}


def _priorities(objects: Objects) -> Iterator[Manifest]:
    for name, value in priorities().items():
        yield objects.object(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            name,
            None,
            value=value,
            # Cells wait for room; only the platform may take it from others.
            preemptionPolicy="PreemptLowerPriority" if name == PRIORITY else "Never",
        )


def _contents(objects: Objects, settings: AddonsSettings, own: Workloads) -> Iterator[Manifest]:
    yield objects.secret(ENVIRONMENT, own.namespace, data_from=SecretName.ENVIRONMENT)
    yield objects.secret(STATE, own.namespace, data={STATE_KEY: SecretName.PULUMI_BACKEND_URL})
    yield from _database(objects, settings, own)
    yield objects.object("v1", "PersistentVolumeClaim", BACKUPS, own.namespace, spec=pods.claim(own))
    yield objects.object("v1", "ConfigMap", CLUSTER, own.namespace, data={KUBECONFIG_KEY: kubeconfig()})
    yield from access(objects, own)
    secret = database.url_secret(_required(settings))
    told = cell_variables(settings, own)
    yield from pods.running(objects, own, database_secret=secret, url_key=database.URL_KEY, cells=told)
    yield from scalers(objects, own)
    yield from entrance(objects, own)
    if settings.monitoring is not None:
        yield _monitor(objects, own, NAME, {APP: NAME}, port="http")
        if not isinstance(settings.database, ExternalDatabase):
            yield _monitor(objects, own, database.CLUSTER, database.POD_LABELS, port="metrics")


def _monitor(objects: Objects, own: Workloads, name: str, pods: Mapping[str, str], *, port: str) -> Manifest:
    endpoints = [{"port": port, "path": "/metrics"}]
    spec = {"selector": {"matchLabels": dict(pods)}, "podMetricsEndpoints": endpoints}
    return objects.object("monitoring.coreos.com/v1", "PodMonitor", name, own.namespace, spec=spec)


def _database(objects: Objects, settings: AddonsSettings, own: Workloads) -> Iterator[Manifest]:
    chosen = _required(settings)
    if isinstance(chosen, ExternalDatabase):
        yield database.external_secret(objects, own.namespace, chosen)
    else:
        spec = database.own_cluster(objects, settings, chosen)
        yield objects.object("postgresql.cnpg.io/v1", "Cluster", database.CLUSTER, own.namespace, spec=spec)


def _required(settings: AddonsSettings) -> Any:
    if settings.database is None:
        raise AssertionError("settings without a database were refused")  # by AddonsSettings
    return settings.database
