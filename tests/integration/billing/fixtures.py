"""Fixtures that billing's and sign-up's integration tests share."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.run.context import ProcessPlatform
from tests.integration.billing.world import StandIn, World, opened_world


@pytest.fixture(scope="session")
def stripe_stand_in() -> Iterator[StandIn]:
    """One for all tests that only need some Stripe to be there."""
    with _running() as stand_in:
        yield stand_in


@pytest.fixture
async def world(platform: ProcessPlatform, stripe_stand_in: StandIn) -> AsyncIterator[World]:
    """A server whose Stripe account remembers earlier tests."""
    async with opened_world(platform, stripe_stand_in) as world:
        yield world


@pytest.fixture
async def fresh_world(platform: ProcessPlatform) -> AsyncIterator[World]:
    """A server with a Stripe account of its own: for tests that move its clock or list everything in it."""
    with _running() as stand_in:
        async with opened_world(platform, stand_in) as world:
            yield world


@contextmanager
def _running() -> Iterator[StandIn]:
    with tempfile.TemporaryDirectory(prefix="claw-stripe-", dir="/tmp") as folder:
        stand_in = StandIn(Path(folder))
        try:
            stand_in.start()
            yield stand_in
        finally:
            stand_in.stop()
