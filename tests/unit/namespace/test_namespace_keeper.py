"""The pod that opens a stopped cell's volume: as restricted as the gateway, within its quota, and without its tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tenants.namespace.isolation import milli
from tenants.namespace.keeper_pod import keeper_pod
from tenants.namespace.plan import keeper_labels
from tests.unit.namespace.builders import cell, document, make_settings, plan_of, pod


def keeper(plan: str = "starter") -> dict[str, Any]:
    spec = cell(plan)
    return keeper_pod(spec, make_settings(), labels=keeper_labels(spec))


def mebi(quantity: str) -> int:
    return int(quantity.removesuffix("Mi")) if quantity.endswith("Mi") else 1024 * int(quantity.removesuffix("Gi"))


def test_it_is_as_restricted_as_the_gateway() -> None:
    gateway, made = pod(plan_of()), keeper()["spec"]

    assert made["securityContext"] == gateway["securityContext"]
    assert made["containers"][0]["securityContext"] == gateway["containers"][0]["securityContext"]
    assert made["automountServiceAccountToken"] is False
    assert made["containers"][0]["image"] == gateway["containers"][0]["image"]


def test_no_token_of_the_cell_enters_it() -> None:
    spec = cell()

    text = json.dumps(keeper_pod(spec, make_settings(), labels=keeper_labels(spec)))

    assert "tokens" not in text
    assert spec.secrets.proxy_token.get_secret_value() not in text
    assert spec.backup_key.get_secret_value() not in text


def test_neither_service_nor_network_rule_takes_it_for_the_gateway() -> None:
    labels = keeper_labels(cell())
    selectors = [
        document(plan_of(), "Service")["spec"]["selector"],
        document(plan_of(), "NetworkPolicy", "gateway-rules")["spec"]["podSelector"]["matchLabels"],
        document(plan_of(), "StatefulSet")["spec"]["selector"]["matchLabels"],
    ]

    assert not any(selector.items() <= labels.items() for selector in selectors)


def test_its_labels_are_those_that_every_object_of_a_cell_carries() -> None:
    assert cell().labels.items() <= keeper_labels(cell()).items()


@pytest.mark.parametrize("plan", ["starter", "pro", "business"])
def test_it_fits_into_the_quota_beside_the_gateway(plan: str) -> None:
    hard = document(plan_of(cell(plan)), "ResourceQuota")["spec"]["hard"]
    gateway, made = (
        pod(plan_of(cell(plan)))["containers"][0]["resources"],
        keeper(plan)["spec"]["containers"][0]["resources"],
    )

    assert int(hard["pods"]) == 2
    for part in ("requests", "limits"):
        both = [gateway[part], made[part]]
        assert sum(milli(entry["cpu"]) for entry in both) <= milli(hard[f"{part}.cpu"])
        assert sum(mebi(entry["memory"]) for entry in both) <= mebi(hard[f"{part}.memory"])
    assert sum(mebi(entry["limits"]["ephemeral-storage"]) for entry in (gateway, made)) <= mebi(
        hard["limits.ephemeral-storage"]
    )


def test_it_ends_by_itself_when_nobody_comes_back() -> None:
    made = keeper()["spec"]

    assert made["activeDeadlineSeconds"] <= 3600
    assert made["restartPolicy"] == "Never"
