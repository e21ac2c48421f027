"""Fixtures that billing's and sign-up's integration tests share."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.context import Platform
from tests.integration.billing.world import StandIn, World, opened_world


@pytest.fixture
def stripe_stand_in() -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="claw-stripe-", dir="/tmp") as folder:
        stand_in = StandIn(Path(folder))
        stand_in.start()
        yield stand_in
        stand_in.stop()


@pytest.fixture
async def world(platform: Platform, stripe_stand_in: StandIn) -> AsyncIterator[World]:
    async with opened_world(platform, stripe_stand_in) as world:
        yield world
