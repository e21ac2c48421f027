"""All add-ons of a cluster, in the order in which they can be installed: a pure function of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from clawstack.addons.base.model import Addon
from clawstack.addons.base.settings import AddonsSettings, OwnDatabase
from clawstack.addons.charts import (
    autoscaler,
    certificates,
    database,
    hetzner,
    ingress,
    maintenance,
    monitoring,
    operators,
)
from clawstack.addons.workloads.plan import workloads


def build_addons(settings: AddonsSettings) -> tuple[Addon, ...]:
    """What the settings switch on. Each add-on comes after those that it needs."""
    return tuple(_foundation(settings)) + tuple(_upper(settings))


def _foundation(settings: AddonsSettings) -> Iterator[Addon]:
    """What the nodes themselves need."""
    if settings.cloud_controller:
        yield hetzner.cloud_controller(settings, settings.cloud_controller)
    if settings.snapshots:
        yield maintenance.snapshots(settings, settings.snapshots)
    if settings.storage:
        yield hetzner.storage(settings, settings.storage)
    if settings.upgrades:
        yield maintenance.upgrades(settings, settings.upgrades)
    if settings.reboots:
        yield maintenance.reboots(settings, settings.reboots)
    if settings.autoscaler:
        yield autoscaler.autoscaler(settings, settings.autoscaler)


def _upper(settings: AddonsSettings) -> Iterator[Addon]:
    """What pods need, and the pods that all of this is for."""
    if settings.ingress:
        yield ingress.ingress(settings, settings.ingress)
    if settings.certificates:
        yield certificates.certificates(settings, settings.certificates)
    if settings.monitoring:
        yield monitoring.monitoring(settings, settings.monitoring)
    if settings.external_secrets:
        yield operators.external_secrets(settings, settings.external_secrets)
    if isinstance(settings.database, OwnDatabase):
        yield database.operator(settings)
    if settings.workloads:
        yield workloads(settings, settings.workloads)
