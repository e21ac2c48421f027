"""Who can talk to whom around clawstack's own services, judged by what the rendered policies mean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.addons.builders import document, manifests, settings, workloads
from tests.unit.addons.reach import End, allowed
from tests.unit.namespace.builders import cell, plan_of
from tests.unit.namespace.builders import document as cell_document

ROLES = ("api", "worker", "proxy", "router")
CELL_NAMESPACE = "cell-emma-parent-x7k2mq"


def policies(**changes: Any) -> list[dict[str, Any]]:
    own = settings(**changes)
    return [entry.document() for entry in manifests(own) if entry.kind == "NetworkPolicy"]


def service(role: str) -> End:
    labels = document("Deployment", f"clawstack-{role}")["spec"]["template"]["metadata"]["labels"]
    return End(address="10.42.0.10", namespace="clawstack", labels=labels)


def gateway() -> End:
    plan = plan_of(cell())
    return End(
        address="10.42.1.20",
        namespace=CELL_NAMESPACE,
        namespace_labels=cell_document(plan, "Namespace")["metadata"]["labels"],
        labels=cell_document(plan, "StatefulSet")["spec"]["template"]["metadata"]["labels"],
    )


DNS = End(address="10.42.0.2", namespace="kube-system", labels={"k8s-app": "kube-dns"})
DATABASE = End(address="10.42.0.3", namespace="clawstack", labels={"cnpg.io/cluster": "clawstack-db"})
OPERATOR = End(address="10.42.0.4", namespace="cnpg-system", labels={"app.kubernetes.io/name": "cloudnative-pg"})
TRAEFIK = End(address="10.42.0.5", namespace="traefik", labels={"app.kubernetes.io/name": "traefik"})
PROMETHEUS = End(address="10.42.0.6", namespace="monitoring", labels={"app.kubernetes.io/name": "prometheus"})
STRANGER = End(address="10.42.0.7", namespace="default", labels={"app.kubernetes.io/name": "openclaw"})
STRAY = End(address="10.42.0.8", namespace="clawstack", labels={"app": "stray"})
VENDOR = End(address="203.0.113.20")
KUBERNETES = End(address="10.0.1.11")
NODE = End(address="10.0.2.20")
METADATA = End(address="169.254.169.254")


@pytest.mark.parametrize("role", ROLES)
def test_every_service_finds_names_the_database_and_the_internet(role: str) -> None:
    rules = policies()
    assert allowed(service(role), DNS, 53, rules, protocol="UDP")
    assert allowed(service(role), DATABASE, 5432, rules)
    assert allowed(service(role), VENDOR, 443, rules)
    assert not allowed(service(role), VENDOR, 25, rules)


@pytest.mark.parametrize("role", ROLES)
def test_no_service_reaches_the_metadata_service_or_other_hosts_of_the_private_network(role: str) -> None:
    assert not allowed(service(role), METADATA, 80, policies())
    assert not allowed(service(role), METADATA, 443, policies())
    assert not allowed(service(role), NODE, 443, policies())


def test_only_the_worker_talks_to_kubernetes_and_to_cells() -> None:
    rules = policies()
    for role in ROLES:
        assert allowed(service(role), KUBERNETES, 6443, rules) == (role == "worker")
        assert allowed(service(role), gateway(), 18789, rules) == (role == "worker")
    assert not allowed(service("worker"), NODE, 6443, rules)
    assert not allowed(service("worker"), gateway(), 22, rules)


def test_cells_reach_proxy_and_router_and_nothing_else() -> None:
    rules = policies()
    for role in ROLES:
        assert allowed(gateway(), service(role), 8080, rules) == (role in {"proxy", "router"})
    assert not allowed(gateway(), DATABASE, 5432, rules)
    assert not allowed(gateway(), service("proxy"), 9090, rules)


def test_a_pod_that_only_looks_like_a_cell_is_not_let_in() -> None:
    for role in ROLES:
        assert not allowed(STRANGER, service(role), 8080, policies())


def test_the_world_comes_in_through_traefik_to_api_and_router() -> None:
    for role in ROLES:
        assert allowed(TRAEFIK, service(role), 8080, policies()) == (role in {"api", "router"})
        assert not allowed(TRAEFIK, service(role), 8080, policies(workloads=workloads(host=None)))
        assert not allowed(VENDOR, service(role), 8080, policies())


def test_prometheus_asks_everybody() -> None:
    for role in ROLES:
        assert allowed(PROMETHEUS, service(role), 8080, policies())


def test_certificates_can_be_proved() -> None:
    solver = End(address="10.42.0.30", namespace="clawstack", labels={"acme.cert-manager.io/http01-solver": "true"})
    assert allowed(TRAEFIK, solver, 8089, policies())
    assert not allowed(gateway(), solver, 8089, policies())


def test_the_database_is_reached_by_services_and_operator_only() -> None:
    rules = policies()
    replica = End(address="10.42.0.33", namespace="clawstack", labels={"cnpg.io/cluster": "clawstack-db"})
    assert allowed(OPERATOR, DATABASE, 8000, rules)
    assert allowed(DATABASE, replica, 5432, rules)
    assert allowed(DATABASE, KUBERNETES, 6443, rules)
    assert not allowed(STRAY, DATABASE, 5432, rules)
    assert not allowed(TRAEFIK, DATABASE, 5432, rules)


def test_a_database_elsewhere_is_reached_at_its_address_alone() -> None:
    rules = policies(database={"addresses": ["10.0.9.4"], "port": 6432})
    assert allowed(service("api"), End(address="10.0.9.4"), 6432, rules)
    assert not allowed(service("api"), End(address="10.0.9.5"), 6432, rules)
    assert not allowed(service("api"), End(address="10.0.9.4"), 5432, rules)


def test_a_pod_that_no_rule_names_finds_names_and_nothing_else() -> None:
    assert allowed(STRAY, DNS, 53, policies())
    assert not allowed(STRAY, VENDOR, 443, policies())
    assert not allowed(PROMETHEUS, STRAY, 8080, policies())


def test_without_the_default_deny_the_evaluator_sees_the_hole() -> None:
    """The evaluator itself can fail: a missing policy opens what it should."""
    left = [policy for policy in policies() if policy["metadata"]["name"] not in {"default-deny", "names"}]
    assert allowed(STRAY, VENDOR, 443, left)
