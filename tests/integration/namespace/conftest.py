"""What the driver's tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.namespace.bench import Bench
from tests.integration.namespace.fake_cluster import FakeCluster, serving


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
