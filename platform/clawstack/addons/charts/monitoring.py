"""Prometheus, Alertmanager, Grafana: with this project's dashboards and alerts, and its metrics for autoscalers."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import yaml

from clawstack.addons.base.model import Addon, Chart, Manifest, SecretName
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.settings import STORAGE_CLASS, AddonsSettings, Monitoring
from clawstack.addons.charts.hetzner import STORAGE
from clawstack.addons.charts.shipped import chart_of, requests

NAMESPACE: Final = "monitoring"
MONITORING: Final = "monitoring"
GRAFANA_SECRET: Final = "grafana-admin"  # noqa: S105 - the name of an object
#: What Prometheus' pods carry, for network rules of those whom it asks.
POD_LABELS: Final = {"app.kubernetes.io/name": "prometheus"}
#: Gauges of single pods by which the services are scaled.
SCALING_METRICS: Final = ("clawstack_operations_running", "clawstack_llm_in_flight", "clawstack_telegram_waiting_polls")
#: Gauges of which every pod tells the whole.
SHARED_METRICS: Final = ("clawstack_jobs_waiting",)


def monitoring(settings: AddonsSettings, own: Monitoring) -> Addon:
    """Rules and dashboards are objects of their own, beside the chart: they change with this project, not with it."""
    objects = Objects(cluster=settings.cluster, app="monitoring")
    admin = objects.secret(
        GRAFANA_SECRET, NAMESPACE, data={"admin-user": "admin", "admin-password": SecretName.GRAFANA_PASSWORD}
    )
    # Privileged: the exporter that watches nodes shares their network and processes.
    before = (objects.namespace(NAMESPACE, "privileged"), admin, *(_dashboards(objects)))
    charts = [chart_of(settings, "kube-prometheus-stack", NAMESPACE, _stack(settings, own))]
    if own.custom_metrics:
        charts.append(_adapter(settings))
    return Addon(
        key=MONITORING,
        before=before,
        charts=tuple(charts),
        after=tuple(_rules(objects)),
        needs=(STORAGE,) if settings.storage else (),
    )


def _stack(settings: AddonsSettings, own: Monitoring) -> dict[str, Any]:
    claim = {
        "spec": {
            **({"storageClassName": STORAGE_CLASS} if settings.storage else {}),
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{own.storage_gb}Gi"}},
        }
    }
    # Objects are found whoever made them, not only those of this release.
    anybody = dict.fromkeys(
        (f"{kind}SelectorNilUsesHelmValues" for kind in ("rule", "serviceMonitor", "podMonitor", "probe")), False
    )
    spec = {
        "retention": f"{own.retention_days}d",
        "retentionSize": f"{own.storage_gb * 8 // 10}GB",
        "storageSpec": {"volumeClaimTemplate": claim},
        "resources": requests("200m", "1Gi"),
        **anybody,
    }
    return {
        "prometheus": {"prometheusSpec": spec},
        "alertmanager": _alertmanager(own),
        "grafana": {
            "admin": {"existingSecret": GRAFANA_SECRET, "userKey": "admin-user", "passwordKey": "admin-password"},
            "sidecar": {"dashboards": {"enabled": True, "label": "grafana_dashboard"}},
            "resources": requests("100m", "256Mi"),
        },
        # K3s runs these in one process and tells of them all through the kubelet; asked apart they would be absent.
        **{part: {"enabled": False} for part in ("kubeControllerManager", "kubeScheduler", "kubeProxy", "kubeEtcd")},
    }


def _alertmanager(own: Monitoring) -> dict[str, Any]:
    if own.alert_webhook_secret is None:
        return {"enabled": True}
    path = f"/etc/alertmanager/secrets/{own.alert_webhook_secret}/url"
    return {
        "enabled": True,
        "alertmanagerSpec": {"secrets": [own.alert_webhook_secret]},
        "config": {
            "route": {"receiver": "operators", "group_by": ["alertname", "namespace"], "repeat_interval": "12h"},
            "receivers": [
                {"name": "operators", "webhook_configs": [{"url_file": path, "send_resolved": True}]},
                {"name": "null"},
            ],
        },
    }


def _adapter(settings: AddonsSettings) -> Chart:
    rules = [
        {
            "seriesQuery": f'{metric}{{namespace!="",pod!=""}}',
            "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
            "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
        }
        for metric in SCALING_METRICS
    ]
    shared = [
        {
            "seriesQuery": f'{metric}{{namespace!=""}}',
            "resources": {"overrides": {"namespace": {"resource": "namespace"}}},
            "metricsQuery": "max(<<.Series>>{<<.LabelMatchers>>})",
        }
        for metric in SHARED_METRICS
    ]
    values = {
        "prometheus": {"url": f"http://kube-prometheus-stack-prometheus.{NAMESPACE}.svc", "port": 9090},
        "rules": {"default": False, "custom": rules, "external": shared},
        "resources": requests("50m", "128Mi"),
    }
    return chart_of(settings, "prometheus-adapter", NAMESPACE, values)


def _dashboards(objects: Objects) -> list[Manifest]:
    return [
        objects.object(
            "v1",
            "ConfigMap",
            f"dashboard-{name.removesuffix('.json')}",
            NAMESPACE,
            labels={"grafana_dashboard": "1"},
            data={name: content},
        )
        for name, content in _shipped("dashboards", ".json")
    ]


def _rules(objects: Objects) -> list[Manifest]:
    return [
        objects.object(
            "monitoring.coreos.com/v1",
            "PrometheusRule",
            f"clawstack-{name.removesuffix('.yaml')}",
            NAMESPACE,
            spec=yaml.safe_load(content),
        )
        for name, content in _shipped("alerts", ".yaml")
    ]


def _shipped(folder: str, suffix: str) -> list[tuple[str, str]]:
    entries = files("clawstack.addons").joinpath(folder).iterdir()
    return sorted((entry.name, entry.read_text()) for entry in entries if entry.name.endswith(suffix))
