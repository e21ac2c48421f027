"""The life of a cell on a real node with the real gateway. Few gateways: each costs 6 to 15 s of processor."""

from __future__ import annotations

import asyncio
import base64
import io
import tarfile
import time
from datetime import date
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.naming import namespace_name
from clawstack.vocabulary import Desired, Observed
from tenants.backups import archive
from tenants.backups.archive import Archive
from tenants.backups.stream import decrypt
from tenants.namespace.plan import build_plan
from tenants.spec import CellSpec
from tests.e2e.namespace.cells import Cells, identity
from tests.waiting import eventually, patient, within

pytestmark = pytest.mark.timeout(900)
MARK = "memory of its own"


def contents(cells: Cells, spec: CellSpec, manifest: archive.ArchiveManifest) -> dict[str, bytes]:
    """Files of a sealed backup."""
    plain = io.BytesIO()
    with (cells.backups / spec.slug / manifest.archive).open("rb") as file:
        decrypt(file, plain, key=base64.b64decode(spec.backup_key.get_secret_value()), slug=spec.slug)
    plain.seek(0)
    with tarfile.open(fileobj=plain) as tar:
        return {
            member.name: opened.read() for member in tar.getmembers() if (opened := tar.extractfile(member)) is not None
        }


async def test_a_cell_lives_through_all_its_changes(cells: Cells) -> None:
    """One gateway for everything that is to happen without a restart, and one more for the restart."""
    spec = await cells.provision()
    first = identity(cells.pod(spec.slug))

    look = await cells.driver.look(spec.slug, port=spec.port)
    assert (look.observed, look.restarts, look.where) == (Observed.RUNNING, 0, cells.pod(spec.slug)["spec"]["nodeName"])
    assert await cells.driver.logs(spec.slug, lines=5)

    larger = cells.spec(spec.slug, plan="pro")
    cells.up(larger)
    told = await cells.settle(larger)
    assert any("without a restart" in sentence for sentence in told), told
    assert identity(cells.pod(spec.slug)) == first
    assert cells.run(
        spec.slug, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    ).split() == [str(2048 * 1024 * 1024)]

    other = cells.spec(spec.slug, plan="pro", models={"primary": "gpt-5", "allowed": ["gpt-5", "gpt-5-mini"]})
    cells.up(other)
    told = await cells.settle(other)
    assert "The running gateway has its new configuration, without a restart." in told
    assert identity(cells.pod(spec.slug)) == first
    assert 'clawstack/gpt-5"' in cells.run(spec.slug, "cat /etc/clawstack/config/openclaw.json")

    lines: list[str] = []
    following = asyncio.create_task(_follow(cells, spec.slug, lines))
    again = other.model_copy(update={"restart_nonce": "again"})
    cells.up(again)
    await cells.settle(again)
    second = identity(cells.pod(spec.slug))
    assert second[0] != first[0]
    async with asyncio.timeout(patient(30)):
        await following
    assert len(lines) > 3  # those of before, and what it said while it ended
    await cells.settle(again)
    assert identity(cells.pod(spec.slug)) == second


async def _follow(cells: Cells, slug: str, lines: list[str]) -> None:
    lines.extend([line async for line in cells.driver.follow_logs(slug, lines=3)])


async def test_a_suspended_cell_keeps_its_memory_and_another_can_be_filled_with_it(cells: Cells) -> None:
    spec = await cells.provision()
    cells.run(spec.slug, f"echo '{MARK}' > /cell/{spec.slug}/state/workspace/NOTES.md")
    suspended = _as(spec, Desired.SUSPENDED)

    await cells.driver.prepare(suspended, tell=cells.told.append)
    cells.up(suspended)
    await cells.settle(suspended)

    assert cells.pods(spec.slug) == []
    await _seen(cells, spec, Observed.SUSPENDED)
    [manifest] = archive.manifests(cells.backups, spec.slug)
    files = contents(cells, spec, manifest)
    assert any(MARK.encode() in content for content in files.values()), sorted(files)

    await cells.driver.release(suspended, tell=cells.told.append)
    assert len(archive.manifests(cells.backups, spec.slug)) == 1
    cells.destroy(spec.slug)
    began = time.monotonic()
    await cells.driver.confirm_gone(spec.slug, tell=cells.told.append)
    assert time.monotonic() - began < patient(60)
    assert cells.kubectl.get("namespace", namespace_name(spec.slug)) is None
    assert spec.slug not in {orphan.slug for orphan in await cells.driver.orphans(frozenset())}

    heir = _as(cells.spec(), Desired.SUSPENDED)
    cells.up(heir)
    await cells.settle(heir)
    backup = Archive(folder=cells.backups, manifest=manifest, key=spec.backup_key.get_secret_value())
    await cells.driver.restore(heir, backup, tell=cells.told.append)
    awake = _as(heir, Desired.RUNNING)
    cells.up(awake)
    await cells.settle(awake)
    assert MARK in cells.run(heir.slug, f"cat /cell/{heir.slug}/state/workspace/NOTES.md")
    assert cells.run(heir.slug, f"stat -c %a /cell/{heir.slug}/state").strip() == "700"


async def test_a_gateway_that_is_still_starting_ends_at_once_when_it_is_told_to(cells: Cells) -> None:
    """Node.js handles signals only after some seconds; until then the kernel's default must hold."""
    spec = cells.spec()
    cells.up(spec)
    await _running(cells, spec)
    began = time.monotonic()

    await cells.driver.release(spec, tell=cells.told.append)

    assert time.monotonic() - began < patient(60), "the pod's grace period is 330 s"


async def _running(cells: Cells, spec: CellSpec) -> None:
    """Return as soon as the gateway's container runs."""
    state = "jsonpath={.status.containerStatuses[0].state}"
    words = ("get", "pod", "gateway-0", "-n", namespace_name(spec.slug), "-o", state)
    await eventually(lambda: "running" in cells.kubectl(*words, check=False), "the gateway's container runs", pause=0.1)


async def test_an_image_that_is_nowhere_needs_attention(cells: Cells) -> None:
    spec = cells.spec()
    absent = cells.settings.model_copy(update={"image": cells.settings.image[:-6] + "000000"})
    cells.up(spec, settings=absent)

    with pytest.raises(NeedsAttentionError) as caught:
        await cells.settle(spec)

    assert caught.value.code == "image_pull_failed"
    await cells.driver.release(spec, tell=cells.told.append)
    assert "nothing to back up" in cells.told[-1]


async def test_a_quota_that_is_too_small_needs_attention(cells: Cells) -> None:
    spec = cells.spec()
    cells.up(spec)
    namespace = namespace_name(spec.slug)
    cells.kubectl("delete", "statefulset", "gateway", "-n", namespace, "--cascade=orphan")
    cells.kubectl("delete", "pods", "--all", "-n", namespace, "--grace-period=0", "--force")
    change: dict[str, Any] = {"spec": {"hard": {"limits.memory": "64Mi"}}}
    cells.kubectl(
        "patch", "resourcequota", "quota", "-n", namespace, "--type=merge", "-p", str(change).replace("'", '"')
    )
    statefulset = [document for document in _documents(cells, spec) if document["kind"] == "StatefulSet"]
    cells.kubectl.apply(*statefulset)

    with pytest.raises(NeedsAttentionError, match="64Mi") as caught:
        await cells.settle(spec)

    assert caught.value.code == "quota_exceeded"


async def test_a_configuration_that_the_gateway_refuses_needs_attention_and_heals_with_the_next_update(
    cells: Cells,
) -> None:
    spec = cells.spec()
    documents = _documents(cells, spec)
    for document in documents:
        if document["kind"] == "ConfigMap":
            document["data"]["openclaw.json"] = '{"gateway": {"mode": "nonsense"}}'
    cells._made.add(spec.slug)
    cells.kubectl.apply(*documents)

    with pytest.raises(NeedsAttentionError, match="last lines") as caught:
        await cells.settle(spec)
    assert caught.value.code == "gateway_refused_config"

    cells.up(spec)
    await cells.settle(spec)
    await _seen(cells, spec, Observed.RUNNING)


async def _seen(cells: Cells, spec: CellSpec, observed: Observed) -> None:
    seen: list[Observed] = []
    async with within(10, f"{observed}", seen=lambda: seen):  # what a look shows may be a second old
        while seen[-1:] != [observed]:
            await asyncio.sleep(0.2)
            seen.append((await cells.driver.look(spec.slug, port=1)).observed)


def _documents(cells: Cells, spec: CellSpec) -> list[dict[str, Any]]:
    return build_plan(spec, cells.settings, today=date(2026, 11, 21)).documents()


def _as(spec: CellSpec, desired: Desired) -> CellSpec:
    return spec.model_copy(update={"desired": desired})
