"""Nodes that are none: their pods run in name only, so that hundreds of cells fit on one machine (for measurements).

They carry a taint and a label; only pods that name both come to them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster import processes
from toolchain.cluster.calls import Calls
from toolchain.cluster.components import Component, Probe
from toolchain.cluster.pins import KWOK_BUILD, STAGES
from toolchain.cluster.probes import log_end
from toolchain.cluster.running import TestCluster, launch
from toolchain.surroundings import Surroundings, executable

LABEL: Final = {"clawstack.test/node": "fake"}
"""A node selector for pods that shall go there."""
TOLERATION: Final = {"key": "clawstack.test/fake", "operator": "Exists"}
_ANNOTATION: Final = "kwok.x-k8s.io/node"
_CAPACITY: Final = {"cpu": "1000", "memory": "4Ti", "pods": "1000", "ephemeral-storage": "100Ti"}
_READY_SECONDS: Final = 30


def add_fake_nodes(cluster: TestCluster, around: Surroundings, *, count: int = 1) -> tuple[str, ...]:
    """Make nodes `fake-1` ... `fake-<count>` and wait until they are ready; returns their names. Repeatable.

    Raises NeedsAttentionError when KWOK was not built or does not answer for the nodes.
    """
    calls = Calls(layout=cluster.layout, programs=cluster.programs)
    names = tuple(f"fake-{number}" for number in range(1, count + 1))
    calls.kubectl("apply", "--server-side", "-f", "-", text="\n---\n".join(json.dumps(_node(name)) for name in names))
    if "kwok" not in cluster.pids:
        with cluster.book.turn():
            launch(cluster.book, cluster.layout, _kwok(cluster, around))

    def ready() -> bool:
        nodes = calls.get("nodes", "-l", ",".join(f"{key}={value}" for key, value in LABEL.items()))["items"]
        return {node["metadata"]["name"] for node in nodes if _is_ready(node)} >= set(names)

    if not processes.await_(ready, seconds=_READY_SECONDS):
        raise NeedsAttentionError(
            f"The fake nodes were not ready within {_READY_SECONDS} seconds:\n{log_end(cluster.log('kwok'))}",
            code="cluster_not_started",
        )
    return names


def _kwok(cluster: TestCluster, around: Surroundings) -> Component:
    binaries = KWOK_BUILD.binaries(around)
    if not executable(binaries / "kwok"):
        raise NeedsAttentionError("KWOK is missing.", remedy=f"Run `{around.interpreter} -m toolchain setup kwok`.")
    command = (
        str(binaries / "kwok"),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={binaries / STAGES}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={_ANNOTATION}=fake",
        "--node-lease-duration-seconds=40",
        "--server-address=",
    )
    return Component(name="kwok", command=command, probe=Probe(kind="none"))


def _node(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**LABEL, "kubernetes.io/hostname": name},
            "annotations": {_ANNOTATION: "fake"},
        },
        "spec": {"taints": [{"key": TOLERATION["key"], "effect": "NoSchedule"}]},
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
    }


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
