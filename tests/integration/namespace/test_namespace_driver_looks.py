"""What a look at a cell finds, and how the end of one is told, against a stand-in cluster that misbehaves."""

from __future__ import annotations

import asyncio

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.vocabulary import Observed
from services.cells.substrates.namespace.driver import NamespaceDriver
from tests.integration.namespace.bench import FAST, Bench
from tests.integration.namespace.fake_cluster import FakeCluster
from tests.unit.namespace.builders import cell, make_settings

#: What Kubernetes says of every namespace's end while an aggregated API is away.
NO_METRICS = {
    "type": "NamespaceDeletionDiscoveryFailure",
    "status": "True",
    "reason": "DiscoveryFailed",
    "message": "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
}


async def test_a_missing_right_is_named(bench: Bench) -> None:
    bench.cluster.refuse["GET", "gateway"] = (403, 'statefulsets.apps "gateway" is forbidden: User "u" cannot get')

    with pytest.raises(NeedsAttentionError, match="cannot get") as caught:
        await bench.driver.settle(bench.spec(), tell=bench.told.append)

    assert caught.value.code == "cluster_access_denied"


async def test_a_server_that_stumbles_is_asked_again(bench: Bench) -> None:
    spec = await bench.running()
    bench.cluster.refuse["GET", "gateway"] = (503, "etcdserver: leader changed")
    last = len(bench.cluster.calls) + 3
    bench.cluster.on_call = lambda number: bench.cluster.refuse.clear() if number == last else None

    await bench.driver.settle(spec, tell=bench.told.append)

    assert bench.cluster.refuse == {}


async def test_many_looks_cost_few_calls(bench: Bench) -> None:
    await bench.running()
    began = len(bench.cluster.calls)

    looks = await asyncio.gather(*(bench.driver.look(slug, port=1) for slug in ["anna", *"bcdefgh"]))

    assert [look.observed for look in looks] == [Observed.RUNNING, *[Observed.ABSENT] * 7]
    asked = [path for _, path in bench.cluster.calls[began:]]
    assert len(asked) <= 15  # one per kind and name, however many cells
    assert not any("cell-" in path for path in asked)


async def test_a_gateway_on_a_lost_node_is_not_running_and_its_volume_stays_closed(bench: Bench) -> None:
    await bench.running()
    bench.cluster.lose_node()

    look = await bench.driver.look("anna", port=1)

    assert look.observed is Observed.BROKEN
    assert "node-1 does not answer: Kubelet stopped posting" in (look.reason or "")
    with pytest.raises(TemporaryError, match="Kubelet stopped posting") as refused:
        await bench.driver.backup(bench.spec(), tell=bench.told.append)
    assert refused.value.code == "node_gone"
    assert bench.cluster.find("Pod", "backup") is None


async def test_a_start_costs_the_same_however_many_other_cells_there_are(bench: Bench) -> None:
    starting = {"ready": False, "started": False}
    bench.cluster.broken_pod = starting

    def gets_ready(calls: int) -> None:
        if calls == 40 and (pod := bench.cluster.find("Pod", "gateway-0")):
            pod["status"]["containerStatuses"][0] |= {"ready": True, "started": True}

    bench.cluster.on_call = gets_ready
    await bench.running()

    assert len(bench.cluster.calls) >= 40
    assert not {path for verb, path in bench.cluster.calls if verb == "GET" and "/namespaces/" not in path} - {
        "/api/v1/nodes/node-1"
    }


async def test_what_is_left_of_a_destroyed_cell_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cells.substrates.namespace.driver._GONE_SECONDS", 0.1)
    volume = {
        "kind": "PersistentVolume",
        "apiVersion": "v1",
        "metadata": {"name": "pvc-1"},
        "spec": {"claimRef": {"namespace": "cell-anna", "name": "state"}},
        "status": {"phase": "Released"},
    }
    bench.cluster.objects["/api/v1/persistentvolumes/pvc-1"] = volume

    with pytest.raises(TemporaryError, match="the volume pvc-1"):
        await bench.driver.confirm_gone("anna", tell=bench.told.append)
    orphans = await bench.driver.orphans(frozenset({"bert"}))
    bench.cluster.objects.clear()
    await bench.driver.confirm_gone("anna", tell=bench.told.append)

    assert [(orphan.slug, orphan.what) for orphan in orphans] == [("anna", "the volume pvc-1")]


async def test_a_namespace_that_hangs_is_told_in_kubernetes_own_words_without_waiting(bench: Bench) -> None:
    spec = await bench.running()
    bench.cluster.hang(NO_METRICS)
    began = len(bench.cluster.calls)

    with pytest.raises(TemporaryError) as stuck:
        await bench.driver.release(spec, tell=bench.told.append)

    assert (stuck.value.code, stuck.value.retry_after) == ("namespace_stuck", 60)
    assert "NamespaceDeletionDiscoveryFailure: Discovery failed for some groups" in stuck.value.message
    assert "kubectl get apiservices" in (stuck.value.remedy or "")
    assert bench.cluster.calls[began:] == [("GET", "/api/v1/namespaces/cell-anna")]


async def test_a_namespace_that_hangs_is_told_after_the_end_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cells.substrates.namespace.driver._GONE_SECONDS", 0.1)
    await bench.running()
    bench.cluster.hang(NO_METRICS)

    with pytest.raises(TemporaryError, match="NamespaceDeletionDiscoveryFailure: Discovery failed"):
        await bench.driver.confirm_gone("anna", tell=bench.told.append)


async def test_a_volume_that_its_class_keeps_is_told_at_once_with_what_deletes_the_disk_too(bench: Bench) -> None:
    volume = {
        "kind": "PersistentVolume",
        "apiVersion": "v1",
        "metadata": {"name": "pvc-1"},
        "spec": {"claimRef": {"namespace": "cell-anna", "name": "state"}, "persistentVolumeReclaimPolicy": "Retain"},
        "status": {"phase": "Released"},
    }
    bench.cluster.objects["/api/v1/persistentvolumes/pvc-1"] = volume
    with pytest.raises(NeedsAttentionError, match="the volume pvc-1, which the storage class keeps") as kept:
        await bench.driver.confirm_gone("anna", tell=bench.told.append)
    assert "kubectl patch pv pvc-1" in (kept.value.remedy or "")
    assert '"persistentVolumeReclaimPolicy":"Delete"' in (kept.value.remedy or "")


async def test_a_cluster_that_is_away_is_unknown_to_a_look_and_temporary_to_an_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.cells.substrates.namespace.cluster._PAUSES", (0.01,))
    away = FakeCluster.kubeconfig(_at("http://127.0.0.1:9"))
    driver = NamespaceDriver(make_settings(kubeconfig=away), patience=FAST)

    look = await driver.look("anna", port=1)
    with pytest.raises(TemporaryError) as caught:
        await driver.settle(cell(), tell=lambda _: None)
    await driver.aclose()

    assert look.observed is Observed.UNKNOWN
    assert caught.value.code == "cluster_unreachable"


def _at(url: str) -> FakeCluster:
    made = object.__new__(FakeCluster)
    made.url = url
    return made
