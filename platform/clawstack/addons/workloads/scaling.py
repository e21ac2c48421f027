"""When there are more pods of a role: by CPU, and by what the role itself says how much it has to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clawstack.addons.base.model import Manifest
from clawstack.addons.base.objects import Objects
from clawstack.addons.base.workloads import WorkloadRole, Workloads
from clawstack.addons.workloads.pods import name_of

Document = dict[str, Any]

_CPU_PERCENT: Final = 70
#: Gauge and the load of one pod at which another is wanted. The worker's: operations under way; it runs four at a time
#: (`worker_concurrency`), so three on each mean that the queue is about to grow.
LOAD: Final[dict[WorkloadRole, tuple[str, str]]] = {
    WorkloadRole.WORKER: ("clawstack_operations_running", "3"),
    WorkloadRole.PROXY: ("clawstack_llm_in_flight", "100"),
    WorkloadRole.ROUTER: ("clawstack_telegram_waiting_polls", "500"),
}
#: Gauge of what all pods of a role share, and how much of it one pod shall have: the queue's depth, four jobs a worker.
SHARED: Final[dict[WorkloadRole, tuple[str, str]]] = {WorkloadRole.WORKER: ("clawstack_jobs_waiting", "4")}


def scalers(objects: Objects, own: Workloads) -> Iterator[Manifest]:
    """One autoscaler per role; where minimum and maximum are the same it keeps that number."""
    for role in WorkloadRole:
        yield objects.object(
            "autoscaling/v2", "HorizontalPodAutoscaler", name_of(role), own.namespace, spec=_scaler(own, role)
        )


def _scaler(own: Workloads, role: WorkloadRole) -> Document:
    size = own.size(role)
    target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
    metrics: list[Document] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if own.scale_by_metrics:
        metrics += _by(LOAD, role, "Pods") + _by(SHARED, role, "External")
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name_of(role)},
        "minReplicas": size.minimum,
        "maxReplicas": size.maximum,
        "metrics": metrics,
        # Long polls and model answers are cut when a pod goes: not at every lull.
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
    }


def _by(gauges: Mapping[WorkloadRole, tuple[str, str]], role: WorkloadRole, source: str) -> list[Document]:
    if role not in gauges:
        return []
    gauge, load = gauges[role]
    asked = {"metric": {"name": gauge}, "target": {"type": "AverageValue", "averageValue": load}}
    return [{"type": source, source.lower(): asked}]
