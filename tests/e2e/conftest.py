"""One world for the whole session: stand-ins, `clawstack serve`, real gateways."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.cli.demonstration.observe import Observer
from services.cli.demonstration.parent import Parent
from services.cli.demonstration.world import World
from tests.e2e.people import Customer, payer
from tests.waiting import patient


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """The demo's own waits, which tests use, scale with those of tests."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((World, "await_"), (Parent, "next_message")):
            patch.setattr(owner, name, _scaled(getattr(owner, name)))
        yield


def _scaled(wait: Callable[..., Any]) -> Callable[..., Any]:
    usual: float | None = inspect.signature(wait).parameters["seconds"].default

    @functools.wraps(wait)
    def scaled(*arguments: Any, seconds: float | None = usual, **named: Any) -> Any:
        # None: as long as something is at work, which needs no scaling.
        return wait(*arguments, seconds=None if seconds is None else patient(seconds), **named)

    return scaled


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
