"""Start, kill, start again, stop: and afterwards this machine is as it was before.

These tests start clusters of their own, of which a machine has one at a time: they come before those that share the
session's (pytest goes by name), and want none that was left running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clawstack.errors import NeedsAttentionError
from tenants.process.wall_rules import PREFIX as WALLS
from tests.e2e.cluster.pods import shell_pod
from tests.e2e.cluster_fixture import Hand
from tests.waiting import patient
from toolchain.cluster import machine, processes
from toolchain.cluster.components import Component, Programs, components
from toolchain.cluster.layout import DEFAULT_DATA, Layout
from toolchain.cluster.lifecycle import attach, start, stop
from toolchain.cluster.record import Book, Record

COMMAND = [sys.executable, "-m", "toolchain", "cluster"]
OWNED = "from pathlib import Path; from toolchain.cluster.lifecycle import start; start(data=Path({data!r})); input()"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Shorter than pytest's own, which names worker and test: below it lie sockets, whose paths end at 107 characters."""
    with tempfile.TemporaryDirectory(prefix="claw-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    assert attach() is None, "a test cluster runs; end it with `python -m toolchain cluster stop`"
    stop()  # what a session that was killed left: its record, and what it changed on the machine
    yield
    stop()


def words(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=patient(20)).stdout


def look() -> dict[str, object]:
    """What a cluster changes on a machine."""
    return {
        "links": sorted(line.split(":")[1].split("@")[0] for line in words("ip", "-o", "link").splitlines()),
        "routes": words("ip", "route"),
        # Walls of process cells come and go with other workers' tests.
        "tables": [line for line in words("nft", "list", "tables").splitlines() if WALLS not in line],
        "groups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("clawstack-cluster*")),
        "groups of controllers": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/clawstack-cluster*")),
        "settings": machine.read_settings(),
        "namespaces": words("ip", "netns"),
        "mounts": [point for point in machine.mounts_below(Path("/")) if not point.startswith(f"{DEFAULT_DATA}/")],
    }


def await_record(starter: subprocess.Popen[str], *names: str) -> Record:
    """The record, once these components were started."""

    def there() -> bool:
        assert starter.poll() is None, starter.communicate()
        record = Book().read()
        return record is not None and record.processes.keys() >= set(names)

    assert processes.await_(there, seconds=patient(60))
    record = Book().read()
    assert record
    return record


def leftovers(layout: Layout) -> list[object]:
    return [*processes.marked(layout.run), *machine.mounts_below(layout.data), *machine.pod_processes(layout)]


def run(*arguments: str) -> str:
    answer = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=patient(150))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def use(namespace: str) -> None:
    """A pod that goes on, and one with a volume: something to be cleared away."""
    cluster = attach()
    assert cluster
    kubectl = Hand(cluster=cluster)
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kubectl.await_(lambda: kubectl.get("serviceaccount", "default", "-n", namespace), "the namespace's account")
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "state", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    volumes = [{"name": "state", "persistentVolumeClaim": {"claimName": "state"}}, {"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "state", "mountPath": "/state"}, {"name": "tmp", "mountPath": "/tmp"}]
    kubectl.apply(claim, shell_pod(cluster, namespace, "lives", "sleep 3600", volumes=volumes, mounts=mounts))
    kubectl.await_phase(namespace, "lives", "Running", seconds=90)


def test_a_start_that_was_killed_on_its_way_is_cleared_away(tmp_path: Path) -> None:
    before = look()
    first, data = str(tmp_path / "first"), str(tmp_path / "data")
    with subprocess.Popen([*COMMAND, "start", "--data", first], stdout=subprocess.PIPE, text=True) as starter:
        killed = await_record(starter, "etcd", "kube-apiserver", "kubelet")
        os.kill(starter.pid, signal.SIGKILL)
    assert processes.marked(killed.layout.run), "its processes go on without it"
    assert attach() is None

    answer = run("start", "--data", data, "--kubeconfig", str(tmp_path / "kubeconfig"))
    assert answer.splitlines()[-1] == str(tmp_path / "kubeconfig")
    assert leftovers(killed.layout) == []
    assert not Path(first).exists()
    assert '"running": true' in run("status", "--json")
    use("stays")

    second = subprocess.run([*COMMAND, "start"], capture_output=True, text=True, check=False, timeout=patient(60))
    assert second.returncode == 1
    assert "A test cluster runs here already" in second.stdout

    record = Book().read()
    assert record
    run("stop")
    assert leftovers(record.layout) == []
    assert look() == before
    assert not Path(data).exists()
    assert Book().read() is None
    assert subprocess.run([*COMMAND, "status"], capture_output=True, check=False, timeout=patient(30)).returncode == 1


def test_a_cluster_whose_owner_was_killed_is_nobodys_and_ends_without_a_trace(tmp_path: Path) -> None:
    before = look()
    program = [sys.executable, "-c", OWNED.format(data=str(tmp_path / "data"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        record = await_record(owner, "kubelet")
        assert processes.await_(lambda: attach() is not None, seconds=patient(60))
        use("orphan")
        os.kill(owner.pid, signal.SIGKILL)
    assert attach() is None
    assert leftovers(record.layout) != []
    assert stop()
    assert leftovers(record.layout) == []
    assert look() == before


def test_a_component_that_does_not_come_up_is_named_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(layout: Layout, programs: Programs) -> tuple[Component, ...]:
        return tuple(
            replace(part, command=(*part.command, "--no-such-flag")) if part.name == "kube-apiserver" else part
            for part in components(layout, programs)
        )

    before = look()
    monkeypatch.setattr("toolchain.cluster.bring_up.components", broken)
    with pytest.raises(NeedsAttentionError) as failed:
        start(data=tmp_path / "data")
    assert failed.value.message.startswith("kube-apiserver of the test cluster ended right after its start:")
    assert "unknown flag: --no-such-flag" in failed.value.message
    assert str(tmp_path / "data" / "logs" / "kube-apiserver.log") in (failed.value.remedy or "")
    assert look() == before
    assert Book().read() is None
