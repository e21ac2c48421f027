"""All pods of all roles together never ask the database for more connections than it takes: checked before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clawstack.addons.base.workloads import WorkloadRole, connections_of
from services.kit.jobs import worker
from services.run.parts import llm_proxy
from services.run.roles import Role
from tests.unit.addons.builders import EXTERNAL_DATABASE, document, settings, workloads

DATABASE = {"image": "ghcr.io/cloudnative-pg/postgresql:17.6"}


def most() -> dict[str, int]:
    """Most pods of each role, by its autoscaler."""
    return {
        role: document("HorizontalPodAutoscaler", f"clawstack-{role}")["spec"]["maxReplicas"] for role in WorkloadRole
    }


def test_what_is_shipped_fits_with_one_pod_more_of_each_role_than_its_autoscaler_makes() -> None:
    of = settings()
    assert of.workloads is not None
    pods = most()
    assert sum(pods.values()) == 33
    limit = int(document("Cluster", "clawstack-db")["spec"]["postgresql"]["parameters"]["max_connections"])
    pools = {role: of.workloads.size(role).pool for role in WorkloadRole}
    wanted = sum((pods[role] + 1) * connections_of(role, pools[role]) for role in WorkloadRole)
    assert wanted == of.workloads.connections() == 404
    assert limit - 30 >= wanted


@pytest.mark.parametrize("role", WorkloadRole)
def test_each_pod_is_told_the_size_of_its_pools(role: WorkloadRole) -> None:
    of = settings(workloads=workloads(**{role.value: {"minimum": 1, "maximum": 1, "pool": 7}}))
    [container] = document("Deployment", f"clawstack-{role}", of)["spec"]["template"]["spec"]["containers"]
    assert {"name": "CLAWSTACK_DATABASE_POOL", "value": "7"} in container["env"]


@pytest.mark.parametrize(
    "changes",
    [
        {"database": {**DATABASE, "max_connections": 433}},
        {"database": {**EXTERNAL_DATABASE, "max_connections": 100}},
        {"workloads": workloads(proxy={"minimum": 2, "maximum": 20, "pool": 20})},
        {"workloads": workloads(api={"minimum": 2, "maximum": 40})},
    ],
)
def test_more_pods_than_the_database_has_connections_for_are_refused_with_a_remedy(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    assert "connections to the database" in str(refused.value)
    assert "raise database.maxConnections to " in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [{"database": {**DATABASE, "max_connections": 434}}, {"database": EXTERNAL_DATABASE}],
    ids=["just enough", "nobody knows"],
)
def test_what_fits_or_cannot_be_known_is_taken(changes: dict[str, Any]) -> None:
    assert settings(**changes)


def test_what_is_counted_is_what_the_services_open() -> None:
    assert {role.value for role in Role} == {role.value for role in WorkloadRole}
    assert connections_of(WorkloadRole.WORKER, 20) == 20 + worker.POOL + 1
    assert connections_of(WorkloadRole.PROXY, 5) == 5 + llm_proxy.hot_connections(5)
    assert llm_proxy.hot_connections(200) == 10, "more do not make it faster"
