"""Suspending, releasing, filling and updating a cell against a stand-in cluster, killed at every single step."""

from __future__ import annotations

import asyncio
import base64
import io
import tarfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError, TemporaryError
from clawstack.untrusted_tree import remove
from clawstack.vocabulary import Observed
from services.cells.substrates.namespace.driver import NamespaceDriver
from services.cells.substrates.namespace.settle import PodPatience
from tenants.backups import archive
from tenants.backups.archive import Archive
from tenants.backups.stream import decrypt
from tenants.namespace.plan import build_plan
from tenants.spec import CellSpec
from tests.integration.namespace.fake_cluster import FakeCluster, serving
from tests.nesting import nest
from tests.unit.namespace.builders import TODAY, cell, make_settings

#: What Kubernetes says of every namespace's end while an aggregated API is away.
NO_METRICS = {
    "type": "NamespaceDeletionDiscoveryFailure",
    "status": "True",
    "reason": "DiscoveryFailed",
    "message": "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1",
}
FAST = PodPatience(ready=5, stop=5, resize=2, config=2, poll=0.02)


class Bench:
    """A cell on a stand-in cluster, and its driver."""

    def __init__(self, cluster: FakeCluster, folder: Path) -> None:
        self.cluster = cluster
        self.backups = folder / "backups"
        self.told: list[str] = []
        self.settings = make_settings(
            kubeconfig=cluster.kubeconfig(), node=str(cluster.node), storage_class=None, priority_classes={}
        )
        self.driver = NamespaceDriver(self.settings, patience=FAST)

    def spec(self, slug: str = "anna", **changes: Any) -> CellSpec:
        spec = cell(slug=slug, **changes)
        directories = spec.directories.model_copy(update={"backups": self.backups})
        return spec.model_copy(update={"directories": directories})

    def up(self, spec: CellSpec) -> None:
        self.cluster.apply(build_plan(spec, self.settings, today=TODAY).documents())

    def live(self, slug: str = "anna", text: str = "memory") -> None:
        """The gateway wrote something."""
        folder = self.cluster.volume / slug / "state/state"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "openclaw.sqlite").write_text(text)

    def kept(self, spec: CellSpec) -> list[str]:
        """What each backup holds, oldest first."""
        found = []
        for manifest in archive.manifests(self.backups, spec.slug):
            plain = io.BytesIO()
            sealed = (self.backups / spec.slug / manifest.archive).open("rb")
            with sealed:
                decrypt(sealed, plain, key=base64.b64decode(spec.backup_key.get_secret_value()), slug=spec.slug)
            plain.seek(0)
            with tarfile.open(fileobj=plain) as tar:
                member = tar.extractfile("state/openclaw.sqlite")
                assert member is not None
                found.append(member.read().decode())
        return found

    def leftovers(self, slug: str = "anna") -> list[str]:
        return sorted(
            path.name for path in (self.cluster.volume / slug).iterdir() if path.name not in {"state", "config"}
        )

    async def running(self) -> CellSpec:
        """A cell that runs and has written."""
        spec = self.spec()
        self.up(spec)
        self.live()
        await self.driver.settle(spec, tell=self.told.append)
        return spec


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for module in ("stopping", "keeper", "driver"):
        monkeypatch.setattr(f"services.cells.substrates.namespace.{module}._POLL", 0.01)
    monkeypatch.setattr("services.cells.substrates.namespace.settle._THOROUGH", 0.05)
    monkeypatch.setattr("services.cells.substrates.namespace.board._FRESH", 60.0)  # this machine may be slow
    monkeypatch.setattr("services.cells.substrates.namespace.board._OBJECTS_FRESH", 60.0)
    async with serving(FakeCluster(tmp_path)) as cluster:
        made = Bench(cluster, tmp_path)
        yield made
        await made.driver.aclose()


async def test_a_suspension_keeps_what_the_last_turn_wrote(bench: Bench) -> None:
    await bench.running()
    bench.cluster.writes_at_end = "last turn"
    spec = bench.spec(desired="suspended")

    await bench.driver.prepare(spec, tell=bench.told.append)
    bench.up(spec)
    await bench.driver.settle(spec, tell=bench.told.append)

    assert bench.kept(spec) == ["last turn"]
    assert bench.leftovers() == []
    assert bench.cluster.find("Pod", "backup") is None
    assert (await bench.driver.look("anna", port=1)).observed is Observed.SUSPENDED


async def test_a_suspension_that_is_killed_at_any_step_is_finished_by_the_next(bench: Bench) -> None:
    spec, killed = bench.spec(desired="suspended"), 0
    for step in range(1, 100):
        await bench.running()
        bench.live(text=f"turn {step}")
        if not await _kill_at(bench, step, bench.driver.prepare(spec, tell=bench.told.append)):
            break
        killed += 1
        await bench.driver.prepare(spec, tell=bench.told.append)

        assert bench.kept(spec)[-1] == f"turn {step}"
        assert bench.cluster.find("Pod", "gateway-0") is None
        assert bench.cluster.find("Pod", "backup") is None
        assert bench.leftovers() == []

    assert killed > 20  # else nothing was killed where it hurts


async def _kill_at(bench: Bench, step: int, work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` until its `step`-th call of the API server; False when it ended before."""
    last = len(bench.cluster.calls) + step
    task = asyncio.create_task(work)

    def kill(number: int) -> None:
        if number == last:
            task.cancel()

    bench.cluster.on_call = kill
    await asyncio.wait([task])
    bench.cluster.on_call = lambda _: None
    if not task.cancelled():
        task.result()
    return task.cancelled()


async def test_a_backup_that_is_there_is_not_made_again(bench: Bench) -> None:
    await bench.running()
    spec = bench.spec(desired="suspended")
    await bench.driver.prepare(spec, tell=bench.told.append)
    bench.up(spec)

    await bench.driver.prepare(spec, tell=bench.told.append)
    await bench.driver.release(spec, tell=bench.told.append)

    assert len(bench.kept(spec)) == 1


async def test_a_gateway_that_ran_since_the_backup_is_backed_up_again(bench: Bench) -> None:
    """Also where somebody else woke it and put it to sleep."""
    await bench.running()
    suspended = bench.spec(desired="suspended")
    await bench.driver.prepare(suspended, tell=bench.told.append)
    bench.up(bench.spec())
    bench.live(text="newer")
    while bench.cluster.find("Pod", "gateway-0"):
        bench.up(suspended)

    await bench.driver.release(suspended, tell=bench.told.append)

    assert bench.kept(suspended) == ["memory", "newer"]


async def test_an_archive_that_somebody_lost_is_made_again(bench: Bench) -> None:
    await bench.running()
    spec = bench.spec(desired="suspended")
    await bench.driver.prepare(spec, tell=bench.told.append)
    for path in (bench.backups / "anna").iterdir():
        path.unlink()

    await bench.driver.release(spec, tell=bench.told.append)

    assert bench.kept(spec) == ["memory"]


async def test_a_cell_that_never_ran_has_nothing_to_back_up(bench: Bench) -> None:
    spec = bench.spec()
    bench.cluster.broken_pod = {"ready": False, "state": {"waiting": {"reason": "ErrImagePull"}}}
    bench.up(spec)

    await bench.driver.release(spec, tell=bench.told.append)

    assert bench.cluster.commands == []
    assert "nothing to back up" in bench.told[-1]


async def test_a_backup_that_fails_keeps_the_volume_and_says_why(bench: Bench) -> None:
    spec = await bench.running()
    (bench.cluster.volume / "anna/state/broken").touch()

    with pytest.raises(NeedsAttentionError, match="database is malformed") as caught:
        await bench.driver.release(spec, tell=bench.told.append)

    assert caught.value.code == "backup_failed"
    assert bench.cluster.find("Pod", "backup") is None
    assert bench.leftovers() == []


async def test_folders_nested_without_end_and_a_link_for_a_workspace_do_not_keep_a_cell_from_ending(
    bench: Bench, tmp_path: Path
) -> None:
    spec = await bench.running()
    state = bench.cluster.volume / "anna/state"
    nest(state, 500)
    remove(state / "workspace")
    (state / "workspace").symlink_to(tmp_path)

    await bench.driver.release(spec, tell=bench.told.append)

    assert bench.kept(spec) == ["memory"]
    assert bench.leftovers() == []


async def test_a_destruction_that_was_killed_does_not_wait_for_a_backup_that_cannot_be_made(bench: Bench) -> None:
    await bench.running()
    namespace = bench.cluster.find("Namespace", "cell-anna")
    assert namespace is not None
    namespace["status"] = {"phase": "Terminating"}

    await bench.driver.release(bench.spec(), tell=bench.told.append)

    assert "being deleted already" in bench.told[-1]
    assert bench.cluster.find("Pod", "backup") is None


async def test_an_operator_may_waive_the_backup(bench: Bench) -> None:
    await bench.running()

    await bench.driver.release(bench.spec(skip_backup=True), tell=bench.told.append)

    assert bench.cluster.commands == []
    assert bench.cluster.find("Pod", "gateway-0") is None


async def test_a_backup_on_demand_leaves_the_gateway_running(bench: Bench) -> None:
    spec = await bench.running()
    [pod] = [bench.cluster.find("Pod", "gateway-0")]

    await bench.driver.backup(spec, tell=bench.told.append)

    assert bench.kept(spec) == ["memory"]
    assert bench.cluster.find("Pod", "gateway-0") is pod
    assert ("POST", "/api/v1/namespaces/cell-anna/pods") not in bench.cluster.calls


async def test_a_new_cell_is_filled_once_and_never_overwritten(bench: Bench) -> None:
    spec = await bench.running()
    copy = bench.cluster.volume / "anna/state/state/my copy/state"  # the customer's, of whatever
    copy.mkdir(parents=True)
    (copy / "openclaw.sqlite").touch()
    await bench.driver.backup(spec, tell=bench.told.append)
    [manifest] = archive.manifests(bench.backups, "anna")
    backup = Archive(folder=bench.backups, manifest=manifest, key=spec.backup_key.get_secret_value())
    new = bench.spec("bert", desired="suspended", directories=_directories("bert"))
    bench.cluster.objects.clear()
    bench.up(new)
    (bench.cluster.volume / "bert").mkdir()

    await bench.driver.restore(new, backup, tell=bench.told.append)
    state = bench.cluster.volume / "bert/state/state/openclaw.sqlite"
    restored = state.read_text()
    state.write_text("newer")
    await bench.driver.restore(new, backup, tell=bench.told.append)

    assert restored == "memory"
    assert state.read_text() == "newer"
    assert bench.leftovers("bert") == []


async def test_a_larger_plan_resizes_the_running_pod(bench: Bench) -> None:
    await bench.running()
    pod = bench.cluster.find("Pod", "gateway-0")
    larger = bench.spec(resources={**bench.spec().resources.model_dump(), "memory_mb": 4096, "disk_mb": 10240})

    bench.up(larger)
    await bench.driver.settle(larger, tell=bench.told.append)

    after = bench.cluster.find("Pod", "gateway-0")
    assert after is pod
    assert after is not None
    assert after["status"]["containerStatuses"][0]["resources"]["limits"]["memory"] == "4096Mi"
    claim = bench.cluster.find("PersistentVolumeClaim", "state")
    assert claim is not None
    assert claim["spec"]["resources"]["requests"]["storage"] == "10240Mi"


async def test_a_cluster_that_cannot_resize_says_when_it_will(bench: Bench) -> None:
    await bench.running()
    bench.cluster.refuse["PATCH", "resize"] = (404, "the server could not find the requested resource")
    larger = bench.spec(resources={**bench.spec().resources.model_dump(), "cpu": 3.0})

    bench.up(larger)
    await bench.driver.settle(larger, tell=bench.told.append)

    assert any("with its next restart" in sentence for sentence in bench.told)


async def test_another_digest_replaces_the_pod_once(bench: Bench) -> None:
    await bench.running()
    changed = bench.spec(restart_nonce="again")

    bench.up(changed)
    await bench.driver.settle(changed, tell=bench.told.append)
    after = bench.cluster.find("Pod", "gateway-0")
    await bench.driver.settle(changed, tell=bench.told.append)

    deletions = [path for verb, path in bench.cluster.calls if verb == "DELETE"]
    assert deletions == ["/api/v1/namespaces/cell-anna/pods/gateway-0"]
    assert bench.cluster.find("Pod", "gateway-0") is after


async def test_a_suspension_that_was_called_off_runs_again(bench: Bench) -> None:
    spec = await bench.running()
    await bench.driver.prepare(bench.spec(desired="suspended"), tell=bench.told.append)

    await bench.driver.settle(spec, tell=bench.told.append)

    assert (await bench.driver.look("anna", port=1)).observed is Observed.RUNNING


async def test_a_gateway_that_refuses_its_configuration_is_told_with_its_last_lines(bench: Bench) -> None:
    bench.cluster.broken_pod = {"ready": False, "state": {"terminated": {"exitCode": 78}}}
    spec = bench.spec()
    bench.up(spec)

    with pytest.raises(NeedsAttentionError, match="last line") as caught:
        await bench.driver.settle(spec, tell=bench.told.append)

    assert caught.value.code == "gateway_refused_config"


async def test_a_gateway_that_was_just_being_tried_again_gets_its_fresh_start_when_that_fails(bench: Bench) -> None:
    """The old pod's attempt began before the update: it looked well when the pod was adjusted, and then refused."""
    bench.cluster.broken_pod = {"ready": False}
    spec = bench.spec()
    bench.up(spec)
    old = bench.cluster.find("Pod", "gateway-0")
    assert old is not None
    bench.cluster.broken_pod = None

    def refuses(calls: int) -> None:
        if calls == 10:
            old["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 78}}

    bench.cluster.on_call = refuses
    await bench.driver.settle(spec, tell=bench.told.append)

    after = bench.cluster.find("Pod", "gateway-0")
    assert after is not None
    assert after["metadata"]["uid"] != old["metadata"]["uid"]
    assert [path for verb, path in bench.cluster.calls if verb == "DELETE"] == [
        "/api/v1/namespaces/cell-anna/pods/gateway-0"
    ]


async def test_a_fresh_start_that_fails_as_well_needs_attention(bench: Bench) -> None:
    bench.cluster.broken_pod = {"ready": False, "state": {"terminated": {"exitCode": 78}}}
    spec = bench.spec()
    bench.up(spec)
    bench.live()

    with pytest.raises(NeedsAttentionError, match="refuses to start"):
        await bench.driver.settle(spec, tell=bench.told.append)

    assert [verb for verb, _ in bench.cluster.calls].count("DELETE") == 1


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


def _directories(slug: str) -> dict[str, Any]:
    given = cell().directories.model_dump()
    return {**given, "root": given["root"].parent / slug}
