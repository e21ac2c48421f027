"""Every manifest that the product can render is judged by kubeconform and kube-score, which know nothing of it."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawstack.plans import load_catalogue
from tests.unit.addons.builders import BROUGHT, manifests
from tests.unit.namespace.builders import cell, plan_of
from tests.unit.policies.kubernetes_objects import ROUTE
from toolchain.ground.surroundings import Surroundings
from toolchain.judges.running import Remark, conform, require, score

ACCEPTED = Path(__file__).with_name("accepted.yaml")
STATES = ("running", "suspended")
CASES = [
    pytest.param(plan, desired, routed, id=f"{plan}-{desired}-{'route' if routed else 'no-route'}")
    for plan, desired, routed in itertools.product(load_catalogue().plans, STATES, (False, True))
]


@pytest.fixture(scope="module")
def around() -> Surroundings:
    """The machine, with judges; without them the test fails and names the command that gets them."""
    found = Surroundings.read()
    require(found)
    return found


def rendered(plan: str, desired: str, *, routed: bool) -> list[dict[str, Any]]:
    return plan_of(cell(plan, desired=desired), route=ROUTE if routed else None).documents()


@cache
def remarks(around: Surroundings, plan: str, desired: str, routed: bool) -> tuple[Remark, ...]:
    return tuple(score(around, rendered(plan, desired, routed=routed)))


@cache
def accepted(subject: str) -> frozenset[tuple[str, str, str, str]]:
    entries = yaml.safe_load(ACCEPTED.read_text())[subject]
    assert all(len(entry["reason"]) > 40 for entry in entries)
    keys = [(entry["check"], entry["kind"], entry["grade"], entry["words"]) for entry in entries]
    assert len(set(keys)) == len(keys)
    return frozenset(keys)


def key(remark: Remark) -> tuple[str, str, str, str]:
    return (remark.check, remark.kind, remark.grade.value, remark.words)


@pytest.mark.parametrize(("plan", "desired", "routed"), CASES)
def test_the_api_of_kubernetes_takes_them(around: Surroundings, plan: str, desired: str, routed: bool) -> None:
    documents = rendered(plan, desired, routed=routed)
    assert {document["kind"] for document in documents} >= {"Namespace", "StatefulSet", "NetworkPolicy", "Secret"}
    assert ("HTTPRoute" in {document["kind"] for document in documents}) is routed
    assert conform(around, documents) == []


@pytest.mark.parametrize(("plan", "desired", "routed"), CASES)
def test_nothing_but_what_was_accepted_is_remarked(around: Surroundings, plan: str, desired: str, routed: bool) -> None:
    assert [remark for remark in remarks(around, plan, desired, routed) if key(remark) not in accepted("cells")] == []


def test_everything_that_was_accepted_still_occurs(around: Surroundings) -> None:
    seen = {key(remark) for case in CASES for remark in remarks(around, *case.values)}
    assert accepted("cells") - seen == set()


def services() -> list[dict[str, Any]]:
    """Everything that the add-ons declare themselves, the platform's own services among it; charts judge their own."""
    return [manifest.document() for manifest in manifests()]


def test_the_api_of_kubernetes_takes_the_platforms_own_services(around: Surroundings) -> None:
    documents = services()
    judged = [document for document in documents if document["kind"] not in BROUGHT]
    assert {document["kind"] for document in documents} - {document["kind"] for document in judged} == BROUGHT
    assert {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"} <= {
        document["kind"] for document in judged
    }
    assert conform(around, judged) == []


def test_the_platforms_own_services_are_remarked_for_nothing_else(around: Surroundings) -> None:
    assert {key(remark) for remark in score(around, services())} == accepted("services")


def change(kind: str, path: str, value: Any) -> list[dict[str, Any]]:
    """The manifests of one plan, changed in one place."""
    documents = rendered("starter", "running", routed=True)
    place = next(document for document in documents if document["kind"] == kind)
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    return documents


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"),
    [
        ("StatefulSet", "spec.replica", 1, "replica"),
        ("StatefulSet", "spec.template.spec.containers.0.livenessProb", {}, "livenessProb"),
        ("StatefulSet", "spec.replicas", "one", "replicas"),
        ("PersistentVolumeClaim", "spec.accessModes", "ReadWriteOnce", "accessModes"),
        ("HTTPRoute", "spec.hostname", "x", "hostname"),
        ("HTTPRoute", "metadata.lables", {}, "lables"),
        ("NetworkPolicy", "kind", "NetworkPolizei", "could not find schema"),
    ],
)
def test_kubeconform_sees_mistakes(around: Surroundings, kind: str, path: str, value: Any, words: str) -> None:
    [complaint] = conform(around, change(kind, path, value))
    assert words in complaint


@pytest.mark.parametrize(
    ("kind", "path", "value", "check"),
    [
        ("Service", "spec.type", "NodePort", "service-type"),
        ("Service", "spec.clusterIP", "10.0.0.9", "statefulset-has-servicename"),
        ("StatefulSet", "spec.template.spec.containers.0.resources", {}, "container-resources"),
        ("StatefulSet", "spec.template.spec.containers.0.image", "openclaw:latest", "container-image-tag"),
    ],
)
def test_kube_score_sees_bad_practice(around: Surroundings, kind: str, path: str, value: Any, check: str) -> None:
    found = {remark.check for remark in score(around, change(kind, path, value))}
    assert check in found
