"""One stand-in process for the tests of a module; each test has its own receiver and calm traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from tests.integration.sandbox_stripe.world import SECRET, Json, Receiver, StandIn, seed


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    started = StandIn(tmp_path_factory.mktemp("stripe")).start()
    yield started
    started.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def stand_in(process: StandIn, receiver: Receiver) -> Iterator[StandIn]:
    """Calm: no hostile mode, no ordered failures, one webhook endpoint, an empty request log."""
    endpoint = process.control("webhook", url=receiver.url, secret=SECRET)
    process.control("requests/clear")
    yield process
    process.control("hostile")
    process.control("fail/clear")
    process.control("settings", after_dunning="cancel", dunning_days=[3, 5, 7])
    process.client().v1.webhook_endpoints.delete(endpoint["id"])
    process.control("flush", timeout=5)


@pytest.fixture
def client(stand_in: StandIn) -> stripe.StripeClient:
    return stand_in.client(max_network_retries=0)


@pytest.fixture
def prices(stand_in: StandIn) -> Json:
    return seed(stand_in)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
