"""What the policy pack is told of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawstack.settings import Settings
from clawstack_policies.kubernetes.network import egress_to_platform
from clawstack_policies.pack import POLICIES
from services.cells.provisioner.pack_config import pack_config
from tests.unit.namespace.builders import make_settings
from tests.unit.policies.kubernetes_objects import everything, judged

EGRESS = "network-forbid-wide-egress"


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    """Settings of an installation whose cells run in the cluster of the golden manifests."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("planted-kubeconfig")

    def make(**more: Any) -> Settings:
        cluster = make_settings().model_dump(mode="json", exclude={"kubeconfig"})
        return Settings(_env_file=None, data_dir=tmp_path, kubeconfig=kubeconfig, cluster=cluster, **more)

    return make


def test_without_a_cluster_and_words_of_the_operator_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert pack_config(Settings(_env_file=None, data_dir=tmp_path)) == {}


def test_the_cluster_says_whom_cells_may_call(configured: Any) -> None:
    told = pack_config(configured())
    assert told == {
        EGRESS: {"dnsNamespaces": ["kube-system"], "platformAddresses": [], "platformNamespaces": ["clawstack"]}
    }
    assert "planted" not in str(told)


def test_what_the_product_renders_for_the_cluster_passes_with_it(configured: Any) -> None:
    options = pack_config(configured())[EGRESS]
    reports = [report for each in everything() for report in judged(egress_to_platform(), each, options)]
    assert reports == []
    assert [
        report
        for each in everything()
        for report in judged(
            egress_to_platform(), each, {**options, "platformNamespaces": [], "dnsNamespaces": ["dns"]}
        )
    ]


def test_the_operators_word_wins_option_by_option(configured: Any) -> None:
    words = {EGRESS: {"platformAddresses": ["10.0.0.9"]}, "stack-limit-cost": {"cellMonthly": 40}}
    told = pack_config(configured(policy_config=words))
    assert told["stack-limit-cost"] == {"cellMonthly": 40}
    assert told[EGRESS]["platformAddresses"] == ["10.0.0.9"]
    assert told[EGRESS]["platformNamespaces"] == ["clawstack"]


def test_every_option_that_is_told_is_one_of_the_rule(configured: Any) -> None:
    properties = {policy.name: policy.config_schema.properties for policy in POLICIES}
    for rule, options in pack_config(configured()).items():
        assert set(options) <= set(properties[rule])
