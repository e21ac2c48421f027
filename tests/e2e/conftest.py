"""One world for the whole session: stand-ins, `clawstack serve`, real gateways."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from services.cli.demonstration.observe import Observer
from services.cli.demonstration.world import World
from tests.e2e.people import Customer, payer


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    # A dead worker's cells are taken over as soon as its lease ends: tests need not wait half a minute for it.
    world = World(overrides={"CLAWSTACK_LEASE_TTL": "8", "CLAWSTACK_RECONCILE_INTERVAL": "10"})
    try:
        world.start()
        world.run("admin", "stripe-setup", "--json")
        yield world
    finally:
        world.close()


@pytest.fixture(scope="session")
def observer(world: World) -> Observer:
    return Observer(world)


@pytest.fixture(scope="session")
def pays(world: World, observer: Observer) -> Callable[..., Customer]:
    """Signs up a parent and pays; returns once the tenant is wanted."""
    return payer(world, observer)


@pytest.fixture(scope="session")
def two(pays) -> tuple[Customer, Customer]:
    """Two customers at once, each with a live assistant and a bound chat. No test may end them."""
    first, second = pays("Emma"), pays("Noah")
    for customer in (first, second):
        customer.await_state("healthy")
        customer.start_chat()
    return first, second
