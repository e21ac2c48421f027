"""Fixtures of machines: a platform that listens, and a gateway port of this test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cells.context import CellPlatform
from tenants.server import bundle, files, units
from tests.integration.server.rig import Rig, end, free_port, serving
from toolchain.locate import locate


@pytest.fixture
async def rig(platform: CellPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    port = free_port()  # on a real machine the gateway is alone
    for module in (bundle, files, units):
        monkeypatch.setattr(module, "PORT", port)
    async with serving(platform, locate().node) as (root, archive):
        rig = Rig(platform=platform, root=root, archive=archive, folder=tmp_path)
        try:
            yield rig
        finally:
            end(rig.machines)
