"""Archives that machines send: checked before they count, bounded, and never half there."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from clawstack.errors import PayloadTooLargeError
from services.cells.machines.schemas import Upload
from services.cells.machines.service import MachineDesk
from services.cells.machines.uploads import ArchiveIntake
from tenants.backups.archive import manifests
from tenants.backups.stream import encrypt
from tenants.spec import CellSpec
from tests.integration.server.rig import Rig
from tests.integration.server.test_server_exchange import agent_of, bearer, exchange
from tests.waiting import patient

PLAIN = b"what openclaw made of it " * 60_000


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{rig.root}/v1/servers/", timeout=patient(20)) as client:
        yield client


def sealed(spec: CellSpec, **changes: Any) -> bytes:
    target = io.BytesIO()
    told = {"key": base64.b64decode(spec.backup_key.get_secret_value()), "slug": spec.slug, **changes}
    encrypt(io.BytesIO(PLAIN), target, **told)
    return target.getvalue()


def headers(spec: CellSpec, content: bytes, **changes: str) -> dict[str, str]:
    told = {
        "X-Sha256": hashlib.sha256(content).hexdigest(),
        "X-Plain-Sha256": hashlib.sha256(PLAIN).hexdigest(),
        "X-Openclaw-Version": "2026.9.6",
    }
    return {**told, **bearer(agent_of(spec)), **changes}


async def send(http: httpx.AsyncClient, spec: CellSpec, content: bytes, **changes: str) -> httpx.Response:
    return await http.put(f"{spec.slug}/backups", content=content, headers=headers(spec, content, **changes))


async def test_an_archive_is_kept_noted_and_can_be_opened(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    await exchange(http, spec)
    assert not await rig.channel.was_backed_up(spec.slug)
    answer = await send(http, spec, sealed(spec))
    assert answer.status_code == 201, answer.text
    [manifest] = manifests(spec.directories.backups, spec.slug)
    assert answer.json() == {"archive": manifest.archive}
    assert manifest.verified
    assert await rig.channel.was_backed_up(spec.slug)


@pytest.mark.parametrize("wrong", ["key", "slug", "cut", "sum", "plain", "not_sealed", "header"])
async def test_what_is_not_the_tenants_whole_archive_is_refused_and_leaves_nothing(
    rig: Rig, http: httpx.AsyncClient, wrong: str
) -> None:
    spec = await rig.equipped()
    await exchange(http, spec)
    good = sealed(spec)
    content, changes = {
        "key": (sealed(spec, key=b"k" * 32), {}),
        "slug": (sealed(spec, slug="somebody-else"), {}),
        "cut": (good[:-1], {}),
        "sum": (good, {"X-Sha256": "0" * 64}),
        "plain": (good, {"X-Plain-Sha256": "0" * 64}),
        "not_sealed": (PLAIN, {}),
        "header": (good, {"X-Openclaw-Version": "../../x"}),
    }[wrong]
    answer = await send(http, spec, content, **changes)
    assert answer.status_code == 422, answer.text
    folder = spec.directories.backups / spec.slug
    assert not folder.exists() or list(folder.iterdir()) == []
    assert not await rig.channel.was_backed_up(spec.slug)


async def test_an_archive_that_is_too_large_is_cut_off(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    await exchange(http, spec)
    content = sealed(spec)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 65_536):
            yield content[start : start + 65_536]

    boot = await MachineDesk(rig.platform, archives=spec.directories.backups).admit(spec.slug, agent_of(spec))
    folder = spec.directories.backups
    intake = ArchiveIntake(platform=rig.platform, folder=folder, max_bytes=200_000)
    upload = Upload(sha256="0" * 64, plain_sha256="0" * 64, openclaw_version="1.2.3")
    with pytest.raises(PayloadTooLargeError, match="200000 bytes"):
        await intake.receive(boot, upload, pieces())
    assert list((folder / spec.slug).iterdir()) == []


async def test_a_broken_upload_leaves_nothing(rig: Rig, http: httpx.AsyncClient) -> None:
    spec = await rig.equipped()
    await exchange(http, spec)
    content = sealed(spec)

    async def breaking_off() -> AsyncIterator[bytes]:
        yield content[:100_000]
        raise RuntimeError("the machine died")

    with pytest.raises(RuntimeError, match="the machine died"):
        await http.put(f"{spec.slug}/backups", content=breaking_off(), headers=headers(spec, content))
    folder = spec.directories.backups / spec.slug
    await rig.until(lambda: not folder.exists() or not list(folder.iterdir()))
    assert not await rig.channel.was_backed_up(spec.slug)
