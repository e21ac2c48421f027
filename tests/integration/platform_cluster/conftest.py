"""A stand-in for Hetzner per module, an operator with a fresh project per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.platform_cluster.operating import Hetzner, Operator, hetzner, operator


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with hetzner(tmp_path_factory.mktemp("hetzner")) as running:
        yield running


@pytest.fixture
def world(shared_world: Hetzner) -> Hetzner:
    shared_world.forget()
    return shared_world


@pytest.fixture
def at_root(world: Hetzner, tmp_path: Path) -> Operator:
    return operator(tmp_path, world)
