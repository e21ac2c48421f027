"""Suspending, releasing, filling and updating a cell against a stand-in cluster, killed at every single step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.untrusted_tree import remove
from clawstack.vocabulary import Observed
from tenants.backups import archive
from tenants.backups.archive import Archive
from tests.integration.namespace.bench import Bench
from tests.nesting import nest
from tests.unit.namespace.builders import cell


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


async def test_a_cell_that_ends_while_its_gateway_makes_its_database_needs_no_operator(bench: Bench) -> None:
    spec = await bench.running()
    (bench.cluster.volume / "anna/state/state/openclaw.sqlite").write_bytes(b"")

    await bench.driver.release(spec, tell=bench.told.append)

    assert bench.kept(spec) == ["tables"]
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


def _directories(slug: str) -> dict[str, Any]:
    given = cell().directories.model_dump()
    return {**given, "root": given["root"].parent / slug}
