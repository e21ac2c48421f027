"""Who can talk to whom, judged by what the rendered policies mean. Law 3: names, proxy, router, nothing else."""

from __future__ import annotations

import pytest

from tenants.spec import CellSpec
from tests.unit.namespace.builders import cell, document, plan_of
from tests.unit.namespace.reach import Place, Policy, may_reach

A, B = "cell-emma-parent-x7k2mq", "cell-bob-y8"
BOB = cell(slug="bob-y8", directories={**cell().directories.model_dump(), "root": "/var/lib/clawstack/cells/bob-y8"})


def policies(**settings: object) -> list[Policy]:
    return [
        entry
        for plan in (plan_of(cell(), **settings), plan_of(BOB, **settings))
        for entry in plan.documents()
        if entry["kind"] == "NetworkPolicy"
    ]


def gateway(namespace: str, address: str) -> Place:
    plan = plan_of(cell() if namespace == A else BOB)
    labels = document(plan, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    return Place(namespace=namespace, labels=labels, address=address)


ANNA = gateway(A, "10.42.0.10")
BERT = gateway(B, "10.42.0.11")
STRAY = Place(namespace=A, address="10.42.0.12", labels={"app": "stray"})
DNS = Place(namespace="kube-system", address="10.42.0.2", labels={"k8s-app": "kube-dns"})
PROXY = Place(namespace="clawstack", address="10.42.0.3", labels={"app": "llm-proxy"})
ROUTER = Place(namespace="clawstack", address="10.42.0.4", labels={"app": "telegram-router"})
PLATFORM = Place(namespace="clawstack", address="10.42.0.5", labels={"app.kubernetes.io/name": "clawstack"})
DATABASE = Place(namespace="clawstack", address="10.42.0.6", labels={"app": "postgres"})
NODE = Place(address="192.168.7.1")
API_SERVER = Place(address="10.43.0.1")
METADATA = Place(address="169.254.169.254")
INTERNET = Place(address="203.0.113.9")
IMPOSTOR = Place(namespace=B, address="10.42.0.66", labels={"app": "llm-proxy", "k8s-app": "kube-dns"})


@pytest.mark.parametrize(
    ("target", "port", "protocol"), [(DNS, 53, "UDP"), (DNS, 53, "TCP"), (PROXY, 8080, "TCP"), (ROUTER, 8081, "TCP")]
)
def test_a_gateway_reaches_what_it_needs(target: Place, port: int, protocol: str) -> None:
    assert may_reach(ANNA, target, port, policies(), protocol=protocol)


@pytest.mark.parametrize(
    ("target", "port"),
    [
        (BERT, 18789),
        (DNS, 9153),
        (PROXY, 8081),
        (PROXY, 22),
        (ROUTER, 8080),
        (PLATFORM, 8080),
        (DATABASE, 5432),
        (NODE, 10250),
        (API_SERVER, 443),
        (METADATA, 80),
        (INTERNET, 443),
        (INTERNET, 53),
        (IMPOSTOR, 8080),
        (IMPOSTOR, 53),
    ],
)
@pytest.mark.parametrize("source", [ANNA, STRAY], ids=["gateway", "stray"])
def test_nothing_else_is_reachable(source: Place, target: Place, port: int) -> None:
    assert not may_reach(source, target, port, policies())


def test_a_stray_pod_in_the_namespace_reaches_not_even_names() -> None:
    assert not may_reach(STRAY, DNS, 53, policies(), protocol="UDP")
    assert not may_reach(STRAY, PROXY, 8080, policies())
    assert not may_reach(ANNA, STRAY, 80, policies())


def test_only_the_platform_calls_a_gateway_and_only_its_port() -> None:
    rules = policies()
    assert may_reach(PLATFORM, ANNA, 18789, rules)
    assert not may_reach(PLATFORM, ANNA, 8787, rules)
    for stranger in (BERT, STRAY, DATABASE, PROXY, INTERNET, IMPOSTOR):
        assert not may_reach(stranger, ANNA, 18789, rules)


def test_a_platform_outside_the_cluster_is_reached_by_address_and_no_neighbour_with_it() -> None:
    outside = {
        "proxy": {"peer": {"addresses": ["192.168.7.20"]}, "ports": [8080]},
        "router": {"peer": {"addresses": ["192.168.7.20"]}, "ports": [8080]},
        "platform": {"addresses": ["192.168.7.20", "fd00::20"]},
    }
    endpoints = {
        "llm_base_url": "http://192.168.7.20:8080/llm/v1",
        "telegram_api_root": "http://192.168.7.20:8080/telegram",
    }
    plan = plan_of(cell(endpoints=endpoints), **outside)
    rules = [entry for entry in plan.documents() if entry["kind"] == "NetworkPolicy"]
    host = Place(address="192.168.7.20")
    assert may_reach(ANNA, host, 8080, rules)
    assert may_reach(host, ANNA, 18789, rules)
    assert may_reach(Place(address="fd00::20"), ANNA, 18789, rules)
    assert not may_reach(ANNA, host, 22, rules)
    assert not may_reach(ANNA, Place(address="192.168.7.21"), 8080, rules)
    assert not may_reach(Place(address="fd00::21"), ANNA, 18789, rules)


def test_the_control_uis_gateway_may_call_in_when_there_is_a_route() -> None:
    proxy = Place(namespace="ingress", address="10.42.0.80", labels={"app": "envoy"})
    route = {
        "gateway": "public",
        "gateway_namespace": "ingress",
        "domain": "cells.example.org",
        "proxy": {"namespace": "ingress", "pods": {"app": "envoy"}},
    }
    assert may_reach(proxy, ANNA, 18789, policies(route=route))
    assert not may_reach(proxy, ANNA, 18789, policies())


def test_without_the_default_deny_the_evaluator_sees_the_hole() -> None:
    """The evaluator itself can fail: a missing policy opens what it should."""
    left = [entry for entry in policies() if entry["metadata"]["name"] != "default-deny"]
    assert may_reach(STRAY, INTERNET, 443, left)
    assert not may_reach(ANNA, INTERNET, 443, left)


ADDRESSES = {
    "proxy": {"peer": {"addresses": ["192.0.2.10", "2001:db8::10"]}, "ports": [443]},
    "router": {"peer": {"addresses": ["192.0.2.11"]}, "ports": [443]},
}


def _at(proxy: str, router: str) -> CellSpec:
    return cell(endpoints={"llm_base_url": f"{proxy}/llm/v1", "telegram_api_root": f"{router}/telegram"})


@pytest.mark.parametrize(
    ("proxy", "router", "aliases"),
    [
        (
            "https://llm.example.com",
            "https://bot.example.com",
            [
                {"ip": "192.0.2.10", "hostnames": ["llm.example.com"]},
                {"ip": "192.0.2.11", "hostnames": ["bot.example.com"]},
                {"ip": "2001:db8::10", "hostnames": ["llm.example.com"]},
            ],
        ),
        ("https://192.0.2.10", "https://192.0.2.11", None),
    ],
)
def test_a_gateway_whose_platform_has_known_addresses_asks_no_name_server(
    proxy: str, router: str, aliases: list[dict[str, object]] | None
) -> None:
    plan = plan_of(_at(proxy, router), **ADDRESSES)
    pod = document(plan, "StatefulSet")["spec"]["template"]["spec"]
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    assert pod.get("hostAliases") == aliases
    rules = [entry for entry in plan.documents() if entry["kind"] == "NetworkPolicy"]
    assert not may_reach(ANNA, DNS, 53, rules, protocol="UDP")
    assert not may_reach(ANNA, DNS, 53, rules, protocol="TCP")
    assert may_reach(ANNA, Place(address="192.0.2.10"), 443, rules)


@pytest.mark.parametrize(
    ("proxy", "settings"),
    [
        ("https://llm.example.com:8443", ADDRESSES),  # another port than the rule's: a Service is in between
        ("https://llm.clawstack.svc", ADDRESSES),
        ("http://llm-proxy.clawstack.svc:8080", {}),
    ],
)
def test_a_gateway_that_finds_its_platform_by_a_service_asks_the_clusters_name_server_alone(
    proxy: str, settings: dict[str, object]
) -> None:
    plan = plan_of(_at(proxy, "http://telegram-router.clawstack.svc:8081"), **settings)
    assert "dnsPolicy" not in document(plan, "StatefulSet")["spec"]["template"]["spec"]
    rules = [entry for entry in plan.documents() if entry["kind"] == "NetworkPolicy"]
    assert may_reach(ANNA, DNS, 53, rules, protocol="UDP")
    assert not may_reach(ANNA, INTERNET, 53, rules, protocol="UDP")
