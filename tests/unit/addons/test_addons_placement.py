"""The shipped example (Pulumi.prod.yaml), planned and scheduled on paper: everything runs on the pool that is kept for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawstack.addons import AddonsSettings
from clawstack.addons.base.workloads import WorkloadRole
from clawstack.cluster.config import ClusterConfig
from clawstack.cluster.reading import addons_of, parse_cluster
from tenants.namespace.keeper_pod import keeper_pod
from tenants.namespace.settings import NamespaceSettings
from tests.unit.addons.builders import CELL_IMAGE, IMAGE, document
from tests.unit.addons.scheduling import Machine, machines_of, schedule
from tests.unit.namespace.builders import PLANTED_KUBECONFIG, TODAY, build_plan, cell, pod

EXAMPLE = Path(__file__).parents[3] / "Pulumi.prod.yaml"
ADDONS: dict[str, Any] = {
    "database": {"image": "ghcr.io/cloudnative-pg/postgresql:17.6"},
    "workloads": {"image": IMAGE, "cells": {"image": CELL_IMAGE}},
}
CELLS = 20


def example(**addons: Any) -> ClusterConfig:
    raw = yaml.safe_load(EXAMPLE.read_text())["config"]["clawstack:cluster"]
    return parse_cluster({**raw, "addons": {**ADDONS, **addons}})


def settings_of(config: ClusterConfig) -> AddonsSettings:
    found = addons_of(config)
    assert found is not None
    return found


def cells_settings(settings: AddonsSettings) -> NamespaceSettings:
    """As the worker reads them from its variables."""
    [container] = document("Deployment", "clawstack-worker", settings)["spec"]["template"]["spec"]["containers"]
    told = next(entry["value"] for entry in container["env"] if entry["name"] == "CLAWSTACK_CLUSTER")
    return NamespaceSettings.model_validate({"kubeconfig": PLANTED_KUBECONFIG, **json.loads(told)})


def database_pods(settings: AddonsSettings) -> Iterator[tuple[str, Any]]:
    """As CloudNativePG makes them of its Cluster: `affinity` holds the fields of the same names."""
    spec = document("Cluster", "clawstack-db", settings)["spec"]
    affinity = {name: spec["affinity"][name] for name in ("nodeSelector", "tolerations") if name in spec["affinity"]}
    for number in range(spec["instances"]):
        yield f"database-{number}", {**affinity, "containers": [{"resources": spec["resources"]}]}


def everything(settings: AddonsSettings) -> Iterator[tuple[str, Any]]:
    """Cells first: the pods that would take the others' room come before them."""
    told = cells_settings(settings)
    for number in range(CELLS):
        yield f"cells-{number}", pod(build_plan(cell(), told, today=TODAY))
    yield "cells-keeper", keeper_pod(cell(), told, labels={})["spec"]
    yield from database_pods(settings)
    for role in WorkloadRole:
        spec = document("Deployment", f"clawstack-{role}", settings)["spec"]["template"]["spec"]
        for number in range(settings.workloads.size(role).minimum if settings.workloads else 0):
            yield f"services-{role}-{number}", spec


def pools_by_kind(machines: list[Machine]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for machine in machines:
        for name in machine.pods:
            found.setdefault(name.split("-")[0], set()).add(machine.pool)
    return found


def test_everything_of_the_shipped_example_runs_on_the_pool_that_is_kept_for_it() -> None:
    config = example()
    machines = machines_of(config)
    assert {machine.pool for machine in machines} == {"control-plane", "platform", "cells", "data"}
    assert schedule(everything(settings_of(config)), machines) == [], "some pods find no room"
    where = pools_by_kind(machines)
    assert (where["cells"], where["database"]) == ({"cells"}, {"data"})
    assert not where["services"] & {"cells", "data"}, "no service tolerates what keeps a pool for others"


def test_an_operators_own_word_about_nodes_counts() -> None:
    place = {"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "x", "operator": "Exists"}]}
    settings = settings_of(
        example(
            workloads={**ADDONS["workloads"], "cells": {"image": CELL_IMAGE, "place": place}},
            database={**ADDONS["database"], "place": {}},
        )
    )
    assert cells_settings(settings).place.pod_fields() == {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
    }
    assert not {"nodeSelector", "tolerations"} & set(document("Cluster", "clawstack-db", settings)["spec"]["affinity"])


def test_a_pool_that_the_autoscaler_makes_counts_too() -> None:
    pool = {
        "name": "more", "serverType": "cpx42", "arch": "x86", "location": "fsn1", "maximum": 5,
        "labels": {"clawstack.dev/for": "cells"}, "taints": [{"key": "more", "effect": "NoExecute"}],
    }  # fmt: skip
    settings = settings_of(example(autoscaler={"pools": [pool], "images": {"x86": "debian-13"}}))
    assert {entry["key"] for entry in cells_settings(settings).place.pod_fields()["tolerations"]} == {
        "clawstack.dev/for",
        "more",
    }


@pytest.mark.parametrize("taken", ["label", "taints"])
def test_without_pools_that_are_kept_nothing_is_said(taken: str) -> None:
    raw = yaml.safe_load(EXAMPLE.read_text())["config"]["clawstack:cluster"]
    for pool in raw["pools"].values():
        pool.pop("labels" if taken == "label" else "taints", None)
    settings = settings_of(parse_cluster({**raw, "addons": ADDONS}))
    expected = {} if taken == "label" else {"nodeSelector": {"clawstack.dev/for": "cells"}}
    assert cells_settings(settings).place.pod_fields() == expected
