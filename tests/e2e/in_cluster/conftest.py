"""The platform inside the cluster that its cells are in; stand-ins and PostgreSQL are on the node beside it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from clawstack.addons.base.workloads import WorkloadRole
from services.cli.demonstration.observe import Observer
from services.cli.demonstration.world import WHERE_TOOLS_ARE, World
from services.kit.database.embedded import EmbeddedPostgres
from tests.e2e.cluster_fixture import Hand, test_cluster  # noqa: F401 - a fixture
from tests.e2e.in_cluster import image
from tests.e2e.in_cluster.forwarding import forwarded, to_port, to_unix
from tests.e2e.in_cluster.installing import NAMESPACE, Installation
from tests.e2e.people import Customer, payer
from tests.embedded_server import running_postgres
from tests.integration.platform_cluster.operating import PACK
from tests.integration.toolchain.engine import Project
from toolchain.cluster.running import TestCluster

ROLES = [role.value for role in WorkloadRole]
_BESIDE = ("CLAWSTACK_DATA_DIR", "CLAWSTACK_HOST", "CLAWSTACK_PORT", "CLAWSTACK_DATABASE_URL", *WHERE_TOOLS_ARE)


@pytest.fixture(scope="session")
def hand(test_cluster: TestCluster) -> Hand:  # noqa: F811 - the fixture imported above
    return Hand(cluster=test_cluster)


@pytest.fixture(scope="module")
def beside() -> Iterator[ExitStack]:
    """What is ended last."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def world(test_cluster: TestCluster, postgres: EmbeddedPostgres) -> Iterator[World]:  # noqa: F811 - as above
    """Stand-ins, and `clawstack` commands on the same database; `port` is where the api is going to be."""
    world = World(
        host=test_cluster.node_ip,
        overrides={
            "CLAWSTACK_DATABASE_URL": postgres.url,
            "CLAWSTACK_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "CLAWSTACK_DEFAULT_SUBSTRATE": "namespace",
            "CLAWSTACK_TELEGRAM_INTAKE": "polling",
            "CLAWSTACK_LEASE_TTL": "8",
            "CLAWSTACK_RECONCILE_INTERVAL": "10",
        },
    )
    try:
        world.start_sandbox()
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def installation(
    test_cluster: TestCluster,  # noqa: F811 - as above
    postgres: EmbeddedPostgres,
    world: World,
    beside: ExitStack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Installation:
    node = test_cluster.node_ip
    socket = urlsplit(postgres.url).query.removeprefix("host=").replace("%2F", "/")
    database = beside.enter_context(forwarded(node, to_unix(f"{socket}/.s.PGSQL.5432")))
    sandbox = urlsplit(world.urls.sandbox).port or 0
    reached = beside.enter_context(forwarded(node, to_port("127.0.0.1", sandbox)))
    inside = {
        name: value.replace(f"127.0.0.1:{sandbox}", f"{node}:{reached}")
        for name, value in world.environment().items()
        if name.startswith("CLAWSTACK_") and name not in _BESIDE
    }
    return Installation(
        cluster=test_cluster,
        image=image.put_into(test_cluster, tmp_path_factory.mktemp("image")),
        database=f"postgresql://postgres@{node}:{database}/clawstack",
        environment={**inside, "CLAWSTACK_PUBLIC_URL": world.urls.platform},
    )


@pytest.fixture(scope="module")
def installed(
    installation: Installation, hand: Hand, world: World, beside: ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The services, all ready; `world.port` leads to the api."""
    project = installation.project(tmp_path_factory.mktemp("operator") / "project")
    beside.callback(project.pulumi, "destroy", "--yes", "--skip-preview", "--stack", "dev")
    project.up(*PACK)
    for role in ROLES:
        hand("rollout", "status", f"deployment/clawstack-{role}", "-n", NAMESPACE, "--timeout=100s")
    api = hand.get("service", "clawstack-api", "-n", NAMESPACE)
    assert api is not None
    beside.enter_context(
        forwarded(installation.cluster.node_ip, to_port(api["spec"]["clusterIP"], 8080), port=world.port)
    )
    world.run("admin", "stripe-setup", "--json")
    return project


@pytest.fixture(scope="module")
def watcher(installed: Project, world: World) -> Observer:
    return Observer(world)


@pytest.fixture(scope="module")
def signs_up(world: World, watcher: Observer) -> Callable[..., Customer]:
    return payer(world, watcher)
