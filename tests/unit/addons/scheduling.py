"""What kube-scheduler asks before a pod goes to a node: labels, taints, room. Pure, for nodes that exist on paper only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.offers import shipped_offers
from clawstack.cluster.plan import plan_cluster
from clawstack.cluster.user_data import cluster_settings, node_settings

_KEEPS_OUT = ("NoSchedule", "NoExecute")
_SYSTEM = {"cpu": 500, "memory": 1024}
"""What kubelet, K3s and the add-ons' own pods of every node take, roughly."""


@dataclass(kw_only=True)
class Machine:
    """A node and what is left of it."""

    name: str
    pool: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    free: dict[str, int] = field(default_factory=dict)
    pods: list[str] = field(default_factory=list)

    def takes(self, pod: Mapping[str, Any]) -> bool:
        """Whether a pod with this specification may run here and fits."""
        if not dict(pod.get("nodeSelector") or {}).items() <= self.labels.items():
            return False
        if any(not _is_tolerated(taint, pod.get("tolerations") or ()) for taint in self.taints):
            return False
        return all(self.free[name] >= amount for name, amount in requests(pod).items())

    def place(self, name: str, pod: Mapping[str, Any]) -> None:
        self.pods.append(name)
        for resource, amount in requests(pod).items():
            self.free[resource] -= amount


def machines_of(config: ClusterConfig) -> list[Machine]:
    """The nodes of a cluster as they register, empty."""
    plan = plan_cluster(config)
    cluster = cluster_settings(config, plan)
    found = []
    for node in plan.nodes():
        size, joined = shipped_offers().server_types[node.server_type], node_settings(node, cluster)
        room = {"cpu": size.cores * 1000, "memory": int(size.memory_gb * 1024)}
        found.append(
            Machine(
                name=node.name,
                pool=node.pool,
                labels=joined.labels,
                taints=tuple(taint.model_dump() for taint in joined.taints),
                free={name: amount - _SYSTEM[name] for name, amount in room.items()},
            )
        )
    return found


def schedule(pods: Iterable[tuple[str, Mapping[str, Any]]], machines: list[Machine]) -> list[str]:
    """Give each pod to the emptiest machine that takes it; names of those that no machine takes."""
    waiting = []
    for name, pod in pods:
        able = [machine for machine in machines if machine.takes(pod)]
        if able:
            max(able, key=lambda machine: machine.free["memory"]).place(name, pod)
        else:
            waiting.append(name)
    return waiting


def requests(pod: Mapping[str, Any]) -> dict[str, int]:
    """Sum over the containers, in thousandths of a core and in MiB."""
    wanted = [container["resources"]["requests"] for container in pod["containers"]]
    return {
        "cpu": sum(int(each["cpu"].removesuffix("m")) for each in wanted),
        "memory": sum(_mebibytes(each["memory"]) for each in wanted),
    }


def _mebibytes(amount: str) -> int:
    return int(amount[:-2]) * (1024 if amount.endswith("Gi") else 1)


def _is_tolerated(taint: Mapping[str, str], tolerations: Iterable[Mapping[str, str]]) -> bool:
    if taint["effect"] not in _KEEPS_OUT:
        return True
    return any(
        entry.get("key") in {None, taint["key"]}
        and entry.get("effect") in {None, taint["effect"]}
        and (entry.get("operator") == "Exists" or entry.get("value", "") == taint["value"])
        for entry in tolerations
    )
