"""The test cluster is a real one: names, Services, volumes, pod security, and components that fail and come back."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import InvalidInputError
from tests.e2e.cluster.pods import shell_pod
from tests.e2e.cluster_fixture import Hand
from toolchain.cluster.running import TestCluster

SERVE = "mkdir -p /tmp/www; echo hello from the pod > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
SCRATCH = {"volumes": [{"name": "tmp", "emptyDir": {}}], "mounts": [{"name": "tmp", "mountPath": "/tmp"}]}


def service(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def claim(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "state", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }


def serving_pod(cluster: TestCluster, kubectl: Hand, namespace: str) -> dict[str, Any]:
    kubectl.apply(shell_pod(cluster, namespace, "web", SERVE, **SCRATCH), service(namespace, "web"))
    pod = kubectl.await_phase(namespace, "web", "Running")
    kubectl.await_(lambda: fetched(pod["status"]["podIP"], 8080), "the pod's own address answers this machine")
    return pod


def output(kubectl: Hand, cluster: TestCluster, namespace: str, name: str, script: str, **more: Any) -> str:
    kubectl.apply(shell_pod(cluster, namespace, name, script, **more))
    kubectl.await_phase(namespace, name, "Succeeded")
    return kubectl("logs", name, "-n", namespace)


def fetched(host: str, port: int) -> str | None:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except OSError:
        return None
    finally:
        connection.close()


@contextmanager
def host_server(address: str) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello from the host")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((address, 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_node_is_ready_and_says_its_version(test_cluster: TestCluster, kubectl: Hand) -> None:
    node = kubectl.get("node", test_cluster.node_name)
    assert node is not None
    ready = next(each for each in node["status"]["conditions"] if each["type"] == "Ready")
    assert ready["status"] == "True"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.34.4"
    addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
    assert addresses["InternalIP"] == test_cluster.node_ip


def test_a_pod_finds_services_by_name_and_reaches_them(
    test_cluster: TestCluster, kubectl: Hand, namespace: str
) -> None:
    serving_pod(test_cluster, kubectl, namespace)
    script = f"wget -qO- http://web; wget -qO- http://web.{namespace}.svc.cluster.local"
    asked = output(kubectl, test_cluster, namespace, "ask", script)
    assert asked.splitlines() == ["hello from the pod"] * 2


def test_this_machine_reaches_service_addresses(test_cluster: TestCluster, kubectl: Hand, namespace: str) -> None:
    serving_pod(test_cluster, kubectl, namespace)
    address = (kubectl.get("service", "web", "-n", namespace) or {})["spec"]["clusterIP"]
    answer = kubectl.await_(lambda: fetched(address, 80), "the Service's address answers this machine", seconds=20)
    assert answer == "hello from the pod"


def test_a_pod_reaches_a_server_on_this_machine(test_cluster: TestCluster, kubectl: Hand, namespace: str) -> None:
    with host_server(test_cluster.node_ip) as port:
        script = f"wget -qO- http://{test_cluster.node_ip}:{port}/"
        assert output(kubectl, test_cluster, namespace, "call", script) == "hello from the host"


def test_a_volume_is_made_kept_between_pods_and_deleted_with_its_claim(
    test_cluster: TestCluster, kubectl: Hand, namespace: str
) -> None:
    mounted = {
        "volumes": [{"name": "state", "persistentVolumeClaim": {"claimName": "state"}}],
        "mounts": [{"name": "state", "mountPath": "/state"}],
    }
    kubectl.apply(claim(namespace))
    output(
        kubectl,
        test_cluster,
        namespace,
        "writes",
        "mkdir -m 700 /state/inner; echo kept > /state/inner/file",
        **mounted,
    )
    assert output(kubectl, test_cluster, namespace, "reads", "cat /state/inner/file", **mounted) == "kept\n"

    bound = kubectl.get("pvc", "state", "-n", namespace) or {}
    assert bound["status"]["phase"] == "Bound"
    assert bound["spec"]["storageClassName"] == test_cluster.storage_class
    volume = kubectl.get("pv", bound["spec"]["volumeName"]) or {}
    folder = Path(volume["spec"]["hostPath"]["path"])
    assert (folder / "inner" / "file").read_text() == "kept\n"

    bigger = '{"spec": {"resources": {"requests": {"storage": "20Mi"}}}}'
    kubectl("patch", "pvc", "state", "-n", namespace, "-p", bigger)
    assert (kubectl.get("pvc", "state", "-n", namespace) or {})["spec"]["resources"]["requests"]["storage"] == "20Mi"

    kubectl("delete", "pod", "writes", "reads", "-n", namespace)
    kubectl("delete", "pvc", "state", "-n", namespace)
    kubectl.await_(lambda: kubectl.get("pv", volume["metadata"]["name"]) is None, "the volume is gone")
    assert not folder.exists()


def test_a_pod_that_asks_for_more_than_allowed_is_refused(
    test_cluster: TestCluster, kubectl: Hand, namespace: str
) -> None:
    pod = shell_pod(test_cluster, namespace, "greedy", "true")
    pod["spec"]["hostNetwork"] = True
    answer = kubectl("apply", "--server-side", "-f", "-", text=json.dumps(pod), check=False)
    assert 'violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)' in answer


def test_the_image_of_openclaw_runs_as_the_pinned_reference(
    test_cluster: TestCluster, kubectl: Hand, namespace: str
) -> None:
    pod = shell_pod(test_cluster, namespace, "claw", "", **SCRATCH)
    container = pod["spec"]["containers"][0]
    container["image"] = test_cluster.image
    container["command"] = [test_cluster.node, test_cluster.openclaw, "--version"]
    container["env"] = [{"name": "HOME", "value": "/tmp"}, {"name": "OPENCLAW_NO_RESPAWN", "value": "1"}]
    kubectl.apply(pod)
    kubectl.await_phase(namespace, "claw", "Succeeded", seconds=90)
    version = test_cluster.image.split("@")[0].rpartition(":")[2]
    assert version in kubectl("logs", "claw", "-n", namespace)


def test_the_shell_of_the_image_has_what_cells_need(test_cluster: TestCluster, kubectl: Hand, namespace: str) -> None:
    script = "cd /tmp; mkdir d; echo a > d/f; cp d/f g; chmod 600 g; tar -cf t d; cat g; sleep 0"
    pod = shell_pod(test_cluster, namespace, "tools", script, **SCRATCH)
    pod["spec"]["containers"][0]["image"] = test_cluster.image
    kubectl.apply(pod)
    kubectl.await_phase(namespace, "tools", "Succeeded")
    assert kubectl("logs", "tools", "-n", namespace) == "a\n"


def test_a_crashed_api_server_comes_back_with_everything_it_knew(
    test_cluster: TestCluster, kubectl: Hand, namespace: str
) -> None:
    before = test_cluster.pids["kube-apiserver"]
    test_cluster.kill("kube-apiserver")
    assert "kube-apiserver" not in test_cluster.pids
    assert "refused" in kubectl("get", "namespace", namespace, check=False)
    test_cluster.restart("kube-apiserver")
    assert test_cluster.pids["kube-apiserver"] != before
    assert kubectl.get("namespace", namespace)
    assert output(kubectl, test_cluster, namespace, "after", "echo works") == "works\n"


def test_pods_go_on_while_the_kubelet_is_away(test_cluster: TestCluster, kubectl: Hand, namespace: str) -> None:
    pod = serving_pod(test_cluster, kubectl, namespace)
    test_cluster.kill("kubelet")
    assert fetched(pod["status"]["podIP"], 8080) == "hello from the pod"
    test_cluster.restart("kubelet")
    again = kubectl.await_phase(namespace, "web", "Running")
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert [each["restartCount"] for each in again["status"]["containerStatuses"]] == [0]
    assert output(kubectl, test_cluster, namespace, "after", "echo works") == "works\n"


def test_every_component_can_crash_and_come_back(test_cluster: TestCluster, kubectl: Hand, namespace: str) -> None:
    pod = serving_pod(test_cluster, kubectl, namespace)
    everything = set(test_cluster.pids)
    assert len(everything) == 9
    for name in everything - {"kube-apiserver", "kubelet"}:  # these have tests of their own
        test_cluster.kill(name)
        test_cluster.restart(name)
    assert set(test_cluster.pids) == everything
    again = kubectl.get("pod", "web", "-n", namespace) or {}
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    assert [each["restartCount"] for each in again["status"]["containerStatuses"]] == [0]
    asked = output(kubectl, test_cluster, namespace, "ask", f"wget -qO- http://web.{namespace}.svc.cluster.local")
    assert asked.strip() == "hello from the pod"


def test_a_component_that_was_killed_from_outside_is_seen_as_gone(test_cluster: TestCluster, kubectl: Hand) -> None:
    os.kill(test_cluster.pids["kube-scheduler"], signal.SIGKILL)
    kubectl.await_(lambda: "kube-scheduler" not in test_cluster.pids, "the scheduler is gone")
    test_cluster.restart("kube-scheduler")
    assert "kube-scheduler" in test_cluster.pids


def test_an_unknown_component_is_named_with_the_known_ones(test_cluster: TestCluster) -> None:
    with pytest.raises(InvalidInputError, match=r"no component 'kublet'; it has etcd, .*kubelet"):
        test_cluster.restart("kublet")
