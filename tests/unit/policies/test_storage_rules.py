"""The rule about what becomes of cells' volumes: what passes, what fails, strangers and unknowns."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy.proxy import UnknownValueError

from clawstack_policies.kubernetes.storage import cell_volumes_deleted
from tests.unit.policies.judging import UNKNOWN, judge

CELLS = {"metadata": {"labels": {"clawstack.dev/for": "cells"}}}
CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
VOLUME = "kubernetes:core/v1:PersistentVolume"


def judged(props: dict[str, Any], type_: str = CLASS) -> list[str]:
    return judge(cell_volumes_deleted(), props, type_=type_, name="clawstack-cells")


@pytest.mark.parametrize("policy", [{}, {"reclaimPolicy": "Delete"}])
def test_a_class_that_deletes_passes(policy: dict[str, str]) -> None:
    assert judged({**CELLS, **policy}) == []


@pytest.mark.parametrize(
    ("type_", "props"),
    [(CLASS, {"reclaimPolicy": "Retain"}), (VOLUME, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})],
)
def test_what_keeps_volumes_of_cells_is_refused(type_: str, props: dict[str, Any]) -> None:
    [told] = judged({**CELLS, **props}, type_)
    assert "clawstack-cells is for cells and has the reclaim policy Retain" in told


def test_classes_for_others_and_other_kinds_are_not_judged() -> None:
    assert judged({"metadata": {"labels": {}}, "reclaimPolicy": "Retain"}) == []
    assert judged({**CELLS, "reclaimPolicy": "Retain"}, "kubernetes:core/v1:ConfigMap") == []


def test_an_unknown_policy_is_judged_when_it_is_known() -> None:
    with pytest.raises(UnknownValueError):
        judged({**CELLS, "reclaimPolicy": UNKNOWN})
