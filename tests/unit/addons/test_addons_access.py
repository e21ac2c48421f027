"""What the worker may do in the cluster: all that a cell needs, in cells, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clawstack.addons.workloads.access import CELL_OBJECTS, CELL_PREFIX, rules
from clawstack.naming import namespace_name
from tests.unit.addons.builders import document
from tests.unit.namespace.builders import plan_of

ROUTE = {
    "gateway": "public",
    "gateway_namespace": "ingress",
    "domain": "cells.example.org",
    "proxy": {"namespace": "ingress", "pods": {"app": "envoy"}},
}
#: Plural of a kind, as the API calls it.
RESOURCES = {
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "HTTPRoute": "httproutes",
}


def may(verb: str, group: str, resource: str, name: str | None = None) -> bool:
    """As the API server judges: some rule grants it."""
    return any(
        group in rule["apiGroups"]
        and resource in rule["resources"]
        and verb in rule["verbs"]
        and ("resourceNames" not in rule or name in rule["resourceNames"])
        for rule in rules()
    )


def cell_objects() -> list[tuple[str, str, str]]:
    found = []
    for entry in plan_of(route=ROUTE).documents():
        group = entry["apiVersion"].rpartition("/")[0]
        resource = RESOURCES.get(entry["kind"], f"{entry['kind'].lower()}s")
        found.append((group, resource, entry["metadata"]["name"]))
    return found


@pytest.mark.parametrize("verb", ["create", "get", "patch", "delete"])
@pytest.mark.parametrize(("group", "resource", "name"), cell_objects())
def test_whatever_a_cell_consists_of_can_be_made_and_unmade(verb: str, group: str, resource: str, name: str) -> None:
    assert may(verb, group, resource, name)


def test_nothing_is_granted_that_no_cell_has() -> None:
    known = {(group, resource) for group, resource, _ in cell_objects()} - {("", "namespaces")}
    assert set(CELL_OBJECTS) == known
    for (group, resource), names in CELL_OBJECTS.items():
        assert set(names) == {name for *place, name in cell_objects() if place == [group, resource]}


def test_secrets_of_others_cannot_be_read_even_by_listing() -> None:
    assert not may("get", "", "secrets", "hcloud")
    assert not may("get", "", "secrets", "clawstack-environment")
    assert not may("list", "", "secrets")
    assert not may("watch", "", "secrets")
    assert not may("list", "", "configmaps")


def test_the_worker_grants_nobody_anything_and_touches_no_node() -> None:
    for rule in rules():
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
    for verb in ("create", "patch", "update", "delete"):
        assert not may(verb, "", "nodes")
        assert not may(verb, "", "persistentvolumes")


def test_what_it_writes_is_fenced_into_namespaces_of_cells() -> None:
    fence = document("ValidatingAdmissionPolicy", "clawstack-worker-stays-in-cells")["spec"]
    assert fence["failurePolicy"] == "Fail"
    [everything] = fence["matchConstraints"]["resourceRules"]
    assert everything["resources"] == ["*/*"]
    assert set(everything["operations"]) == {"CREATE", "UPDATE", "DELETE", "CONNECT"}
    assert "system:serviceaccount:clawstack:clawstack-worker" in fence["matchConditions"][0]["expression"]
    [rule] = fence["validations"]
    assert re.findall(r"startsWith\('([^']*)'\)", rule["expression"]) == [CELL_PREFIX] * 2
    assert namespace_name("anna-x2").startswith(CELL_PREFIX)
    binding = document("ValidatingAdmissionPolicyBinding", "clawstack-worker-stays-in-cells")["spec"]
    assert binding == {"policyName": "clawstack-worker-stays-in-cells", "validationActions": ["Deny"]}


def test_the_binding_names_the_workers_account_and_no_other() -> None:
    binding = document("ClusterRoleBinding", "clawstack-cells")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "clawstack-worker", "namespace": "clawstack"}]
    assert binding["roleRef"]["name"] == "clawstack-cells"


def test_what_pulumis_provider_watches_may_be_watched_and_the_page_for_operators_says_so() -> None:
    watched = ("pods", "events", "persistentvolumeclaims", "statefulsets")
    free = [rule for rule in rules() if "watch" in rule["verbs"] and not rule.get("resourceNames")]
    assert {resource for rule in free for resource in rule["resources"]} >= set(watched)
    page = " ".join((Path(__file__).parents[3] / "docs" / "operators.md").read_text().split())
    assert f"{', '.join(watched[:-1])} and {watched[-1]} besides get, list, watch" in page
