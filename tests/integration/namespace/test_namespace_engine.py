"""A namespace cell through the real Pulumi engine, the policy pack and the offline plugin, against a small API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kubernetes_plugin.fake_api import Cluster, serve
from tests.integration.kubernetes_plugin.test_kubernetes_plugin_protocol import kubeconfig
from tests.waiting import patient
from toolchain.ground.plugin_choice import WANTED, starter
from toolchain.ground.surroundings import Surroundings
from toolchain.linking import link_plugins
from toolchain.locate import locate

NAMESPACE = "/api/v1/namespaces/cell-emma-parent-x7k2mq"
PODS = "/apis/apps/v1/namespaces/cell-emma-parent-x7k2mq/statefulsets/gateway"
CLAIM = "/api/v1/namespaces/cell-emma-parent-x7k2mq/persistentvolumeclaims/state"
WALL = "/apis/networking.k8s.io/v1/namespaces/cell-emma-parent-x7k2mq/networkpolicies/default-deny"
OBJECTS = 12


@dataclass(frozen=True)
class Stack:
    folder: Path
    cluster: Cluster

    def run(self, verb: str, **cell: Any) -> dict[str, int]:
        """The operation; how many resources were changed in which way."""
        told = self.ask(verb, cell, {})
        assert not told["error"], told["error"]
        changes: dict[str, int] = told["changes"]
        return {kind: count for kind, count in changes.items() if kind != "same"}

    def ask(self, verb: str, cell: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """What the operation told; `settings` of the cluster that differ."""
        command = [sys.executable, "-m", "tests.integration.namespace.one_operation", verb, str(self.folder)]
        facts = json.dumps({"cell": cell, "kubeconfig": kubeconfig(self.cluster), "settings": settings})
        answer = subprocess.run(
            command, input=facts, env=self._environ(), capture_output=True, text=True, timeout=patient(120), check=False
        )
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return told

    def _environ(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PULUMI_", "CLAWSTACK_")) or key == "CLAWSTACK_CACHE_DIR"
        }
        tools = locate()
        path = [str(self.folder / "bin"), str(tools.pulumi.parent), *map(str, tools.plugin_path), kept["PATH"]]
        return {
            **kept,
            "PATH": os.pathsep.join(path),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    around = Surroundings.read()
    (wanted,) = [plugin for plugin in WANTED if plugin.name == "kubernetes"]
    for place in ("bin", "state", "home"):
        (tmp_path / place).mkdir()
    link_plugins(locate(), tmp_path / "home")
    script = tmp_path / "bin" / wanted.file
    script.write_text(starter(around, wanted))
    script.chmod(0o755)
    for cluster in serve(Cluster()):
        yield Stack(tmp_path, cluster)


def test_a_cells_life_is_stack_up_and_stack_destroy(stack: Stack) -> None:
    cluster = stack.cluster
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


def test_what_was_changed_by_hand_is_found_and_repaired(stack: Stack) -> None:
    cluster = stack.cluster
    stack.run("up")
    assert stack.run("refresh") == {}, "what the server adds is no drift"
    cluster.write_as("kubectl-edit", PODS, {"spec": {"replicas": 3}})
    cluster.forget(WALL)
    assert stack.run("refresh") == {"update": 1, "delete": 1}
    assert stack.run("up") == {"update": 1, "create": 1}
    assert cluster.objects[PODS]["spec"]["replicas"] == 1
    assert WALL in cluster.objects


def test_the_policy_pack_stops_a_cell_that_reaches_further(stack: Stack) -> None:
    elsewhere = {"peer": {"namespace": "monitoring", "pods": {"app": "x"}}, "ports": [8080]}
    told = stack.ask("up", {}, {"proxy": elsewhere})
    assert "network-forbid-wide-egress" in told["error"]
    assert "the namespace monitoring, which is not the platform's" in told["error"]
    assert "StatefulSet" not in {live["kind"] for live in stack.cluster.objects.values()}
