"""A stand-in for Hetzner per module, empty at the start of every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hcloud_plugin.calling import Engine, engine
from tests.integration.hcloud_plugin.standin import Hetzner, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hetzner]:
    with running(tmp_path_factory.mktemp("hcloud")) as hetzner:
        yield hetzner


@pytest.fixture
def hetzner(world: Hetzner) -> Hetzner:
    world.tell("reset")
    return world


@pytest.fixture
def plugin(hetzner: Hetzner) -> Iterator[Engine]:
    with engine(hetzner) as made:
        yield made
