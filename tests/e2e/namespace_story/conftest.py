"""A whole platform beside a real cluster: its cells are namespaces with real gateways in pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from services.cli.demonstration.ground import Ground, on_test_cluster
from services.cli.demonstration.observe import Observer
from tests.e2e.cluster_fixture import Hand, test_cluster  # noqa: F401 - a fixture
from tests.e2e.people import Customer, payer
from toolchain.cluster.running import TestCluster


@pytest.fixture(scope="session")
def ground(test_cluster: TestCluster) -> Iterator[Ground]:  # noqa: F811 - the fixture imported above
    ground = on_test_cluster(
        test_cluster,
        {
            "CLAWSTACK_DEFAULT_SUBSTRATE": "namespace",
            "CLAWSTACK_LEASE_TTL": "8",
            "CLAWSTACK_RECONCILE_INTERVAL": "10",
        },
    )
    try:
        ground.world.start()
        ground.world.run("admin", "stripe-setup", "--json")
        yield ground
    finally:
        ground.world.close()


@pytest.fixture(scope="session")
def hand(test_cluster: TestCluster) -> Hand:  # noqa: F811 - as above
    return Hand(cluster=test_cluster)


@pytest.fixture(scope="session")
def watcher(ground: Ground) -> Observer:
    return Observer(ground.world)


@pytest.fixture(scope="session")
def signs_up(ground: Ground, watcher: Observer) -> Callable[..., Customer]:
    return payer(ground.world, watcher)
