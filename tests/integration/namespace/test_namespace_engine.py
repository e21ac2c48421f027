"""A namespace cell through the real Pulumi engine, the policy pack and the offline plugin, against a small API server.

The small server answers what the offline plugin asks: it has no discovery, no dry run and no watches, with which Pulumi's
own begins. Whichever plugin is named has the same life of a cell against a real one: tests/e2e/control_plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.kubernetes_plugin.fake_api import Cluster, serve
from tests.integration.kubernetes_plugin.test_kubernetes_plugin_protocol import kubeconfig
from tests.integration.namespace.engine_stack import OBJECTS, Stack, prepared
from tests.plugins.pulumi_plugins import compared

NAMESPACE = "/api/v1/namespaces/cell-emma-parent-x7k2mq"
PODS = "/apis/apps/v1/namespaces/cell-emma-parent-x7k2mq/statefulsets/gateway"
CLAIM = "/api/v1/namespaces/cell-emma-parent-x7k2mq/persistentvolumeclaims/state"
WALL = "/apis/networking.k8s.io/v1/namespaces/cell-emma-parent-x7k2mq/networkpolicies/default-deny"


@dataclass(frozen=True)
class Life:
    stack: Stack
    cluster: Cluster


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    [plugin] = compared("kubernetes", "offline")
    for cluster in serve(Cluster()):
        yield Life(prepared(tmp_path, plugin, kubeconfig(cluster)), cluster)


def test_a_cells_life_is_stack_up_and_stack_destroy(life: Life) -> None:
    stack, cluster = life.stack, life.cluster
    assert stack.run("preview") == {"create": OBJECTS + 3}
    assert cluster.objects == {}
    assert stack.run("up") == {"create": OBJECTS + 3}
    assert len(cluster.objects) == OBJECTS
    uids = {path: live["metadata"]["uid"] for path, live in cluster.objects.items()}
    assert stack.run("up") == {}

    changed = {"models": {"primary": "gpt-5", "allowed": ["gpt-5"]}, "restart_nonce": "again"}
    assert stack.run("up", **changed) == {"update": 2}
    assert stack.run("up", **changed, desired="suspended") == {"update": 1}
    assert cluster.objects[PODS]["spec"]["replicas"] == 0
    assert {path: live["metadata"]["uid"] for path, live in cluster.objects.items()} == uids, "nothing was replaced"

    cluster.lingering = 3
    stack.run("destroy", **changed)
    assert cluster.objects.keys().isdisjoint({NAMESPACE})
    deleted = [path for method, path, _ in cluster.calls if method == "DELETE"]
    assert deleted == [PODS, CLAIM, NAMESPACE], "pods and claim end first, the other contents go with it"


def test_what_was_changed_by_hand_is_found_and_repaired(life: Life) -> None:
    stack, cluster = life.stack, life.cluster
    stack.run("up")
    assert stack.run("refresh") == {}, "what the server adds is no drift"
    cluster.write_as("kubectl-edit", PODS, {"spec": {"replicas": 3}})
    cluster.forget(WALL)
    assert stack.run("refresh") == {"update": 1, "delete": 1}
    assert stack.run("up") == {"update": 1, "create": 1}
    assert cluster.objects[PODS]["spec"]["replicas"] == 1
    assert WALL in cluster.objects


def test_the_policy_pack_stops_a_cell_that_reaches_further(life: Life) -> None:
    stack = life.stack
    elsewhere = {"peer": {"namespace": "monitoring", "pods": {"app": "x"}}, "ports": [8080]}
    told = stack.ask("up", {}, proxy=elsewhere)
    assert "network-forbid-wide-egress" in told["error"]
    assert "the namespace monitoring, which is not the platform's" in told["error"]
    assert "StatefulSet" not in {live["kind"] for live in life.cluster.objects.values()}
