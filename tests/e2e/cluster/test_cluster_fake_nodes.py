"""Nodes in name only: hundreds of cells for measurements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from tests.e2e.cluster.pods import shell_pod
from tests.e2e.cluster_fixture import Hand
from toolchain.cluster.fake_nodes import LABEL, TOLERATION, add_fake_nodes
from toolchain.cluster.running import TestCluster
from toolchain.steps.cluster import ensure_kwok
from toolchain.surroundings import Surroundings

pytestmark = pytest.mark.long


@pytest.fixture
def fake_nodes(test_cluster: TestCluster, kubectl: Hand) -> Iterator[tuple[str, ...]]:
    around = Surroundings.read()
    ensure_kwok(around, Console(stderr=True))
    names = add_fake_nodes(test_cluster, around, count=2)
    yield names
    kubectl("delete", "node", *names)
    test_cluster.kill("kwok")


def test_pods_that_ask_for_it_run_there_in_name_and_go_when_told(
    test_cluster: TestCluster, kubectl: Hand, namespace: str, fake_nodes: tuple[str, ...]
) -> None:
    pods = [
        shell_pod(test_cluster, namespace, f"fake-{number}", "sleep 1", nodeSelector=LABEL, tolerations=[TOLERATION])
        for number in range(20)
    ]
    kubectl.apply(*pods)
    for pod in pods:
        seen = kubectl.await_phase(namespace, pod["metadata"]["name"], "Running")
        assert seen["spec"]["nodeName"] in fake_nodes
    kubectl("delete", "pods", "--all", "-n", namespace, "--timeout=60s")


def test_other_pods_stay_on_the_real_node(
    test_cluster: TestCluster, kubectl: Hand, namespace: str, fake_nodes: tuple[str, ...]
) -> None:
    kubectl.apply(shell_pod(test_cluster, namespace, "real", "echo here"))
    assert kubectl.await_phase(namespace, "real", "Succeeded")["spec"]["nodeName"] == test_cluster.node_name
    assert add_fake_nodes(test_cluster, Surroundings.read(), count=2) == fake_nodes, "safe to repeat"
