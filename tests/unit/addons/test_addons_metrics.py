"""Dashboards and alerts ask only for metrics that are really told, and every metric that is told is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawstack.addons.charts.monitoring import SCALING_METRICS, SHARED_METRICS
from clawstack.addons.workloads.scaling import LOAD, SHARED
from tests.unit.addons.builders import manifests, values

ROOT = Path(__file__).parents[3]
_DECLARED = re.compile(r'(Counter|Gauge|Histogram)\(\s*"(clawstack_\w+)"', re.DOTALL)
_NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b(?=\s*(?:[\[{)]|$|[-+*/<>=]))")
_SUFFIXES = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
#: Told by others: Prometheus itself, the kubelet, kube-state-metrics, K3s (its documentation, metrics).
FOREIGN = {
    "up",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kube_pod_container_status_restarts_total",
    "k3s_certificate_expiration_seconds",
}
FUNCTIONS = {"histogram_quantile", "min_over_time"}


def declared() -> dict[str, str]:
    """Kind by name of every metric in the services' code."""
    found: dict[str, str] = {}
    for path in (ROOT / "services").rglob("*.py"):
        found.update((name, kind) for kind, name in _DECLARED.findall(path.read_text()))
    return found


def told() -> set[str]:
    return {f"{name}{suffix}" for name, kind in declared().items() for suffix in _SUFFIXES[kind]}


def shipped(folder: str) -> list[Path]:
    return sorted(
        Path(str(entry))
        for entry in files("clawstack.addons").joinpath(folder).iterdir()
        if not entry.name.startswith("_")
    )


def rules() -> Iterator[dict[str, Any]]:
    for path in shipped("alerts"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def panels() -> Iterator[dict[str, Any]]:
    for path in shipped("dashboards"):
        yield from json.loads(path.read_text())["panels"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


def asked(expression: str) -> set[str]:
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(?:by|without)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}", "{}", bare)
    return set(_NAME.findall(bare)) - FUNCTIONS


def test_the_services_metrics_are_found_at_all() -> None:
    assert len(declared()) >= 19
    assert declared()["clawstack_operation_seconds"] == "Histogram"


@pytest.mark.parametrize("expression", expressions())
def test_only_metrics_that_exist_are_asked_for(expression: str) -> None:
    assert asked(expression) or "up{" in expression
    assert asked(expression) <= told() | FOREIGN


def test_an_invented_metric_would_be_noticed() -> None:
    assert asked("sum(rate(clawstack_nothing_total[5m])) > 3") == {"clawstack_nothing_total"}
    assert not asked("sum(rate(clawstack_nothing_total[5m])) > 3") <= told() | FOREIGN


def test_every_metric_of_the_services_is_on_a_dashboard() -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name in asked(target["expr"])}
    for name, kind in declared().items():
        assert {f"{name}{suffix}" for suffix in _SUFFIXES[kind]} & shown, f"{name} is on no dashboard"


def test_every_alert_says_what_it_means_and_how_bad_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["description"]) > 30


def test_dashboards_are_what_grafana_takes() -> None:
    for path in shipped("dashboards"):
        board = json.loads(path.read_text())
        identifiers = [panel["id"] for panel in board["panels"]]
        assert len(set(identifiers)) == len(identifiers)
        assert len(board["uid"]) <= 40
        for panel in board["panels"]:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_what_is_shipped_reaches_the_cluster() -> None:
    boards = [manifest.document() for manifest in manifests() if manifest.name.startswith("dashboard-")]
    assert len(boards) == len(shipped("dashboards"))
    assert all(board["metadata"]["labels"]["grafana_dashboard"] == "1" for board in boards)
    assert len([manifest for manifest in manifests() if manifest.kind == "PrometheusRule"]) == len(shipped("alerts"))


def test_services_are_scaled_by_gauges_that_exist_and_that_the_adapter_serves() -> None:
    assert {gauge for gauge, _ in LOAD.values()} == set(SCALING_METRICS)
    assert {gauge for gauge, _ in SHARED.values()} == set(SHARED_METRICS)
    assert {declared()[gauge] for gauge in (*SCALING_METRICS, *SHARED_METRICS)} == {"Gauge"}
    served = values("monitoring", "prometheus-adapter")["rules"]
    assert {rule["seriesQuery"].split("{")[0] for rule in served["custom"]} == set(SCALING_METRICS)
    assert {rule["seriesQuery"].split("{")[0] for rule in served["external"]} == set(SHARED_METRICS)


def test_the_depth_of_the_queue_is_divided_among_workers_and_not_multiplied_by_them() -> None:
    """Every worker tells the same number: summed over pods, or averaged per pod, it would only ever grow the fleet."""
    (rule,) = values("monitoring", "prometheus-adapter")["rules"]["external"]
    assert rule["metricsQuery"].startswith("max(")
    assert not set(SHARED_METRICS) & {gauge for gauge, _ in LOAD.values()}
