"""Judges from outside on the platform's own manifests: kubeconform (are they valid?) and kube-score (are they good?)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.addons.builders import BROUGHT, EXTERNAL_DATABASE, addon, manifests, settings
from toolchain.ground.surroundings import Surroundings
from toolchain.judges.running import Remark, conform, require, score

#: What kube-score may say, and why it is as it is.
AGREED = {
    "container-image-pull-policy": "the image is pinned by its digest: pulled once, it is the same for ever",
    "deployment-has-host-podantiaffinity": "topology spread constraints do it, and go on where there is one node",
    "horizontalpodautoscaler-replicas": "without a shared volume for backups there is one worker",
    "networkpolicy-targets-pod": "CloudNativePG and cert-manager make the pods that these two are for",
}


@pytest.fixture(scope="module")
def around() -> Surroundings:
    found = Surroundings.read()
    require(found)
    return found


@pytest.mark.parametrize("changes", [{}, {"database": EXTERNAL_DATABASE}], ids=["own database", "database elsewhere"])
def test_every_object_is_valid_for_this_version_of_kubernetes(around: Surroundings, changes: dict[str, Any]) -> None:
    documents = [manifest.document() for manifest in manifests(settings(**changes))]
    judged = [document for document in documents if document["kind"] not in BROUGHT]
    assert len(judged) > 50
    assert conform(around, judged) == []


def test_a_misspelt_field_is_noticed(around: Surroundings) -> None:
    [policy] = [manifest.document() for manifest in manifests() if manifest.kind == "ValidatingAdmissionPolicy"]
    policy["spec"]["matchConstraint"] = policy["spec"].pop("matchConstraints")
    assert conform(around, [policy])


def test_the_services_are_as_good_as_they_can_be(around: Surroundings) -> None:
    remarks = score(around, [manifest.document() for manifest in addon("workloads").manifests()])
    assert [remark for remark in remarks if remark.check not in AGREED] == []


def test_no_agreement_outlives_its_reason(around: Surroundings) -> None:
    remarks: list[Remark] = score(around, [manifest.document() for manifest in addon("workloads").manifests()])
    assert {remark.check for remark in remarks} == set(AGREED)
