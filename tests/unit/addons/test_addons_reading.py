"""The operator's section becomes settings: short to write, complete by what the cluster knows, refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from clawstack.addons import AddonsSettings
from clawstack.addons.reading import addons_settings
from clawstack.errors import InvalidInputError
from tests.unit.addons.builders import CELL_IMAGE, IMAGE
from tests.unit.k3s.clusters import THREE, large_cluster

CLUSTER = large_cluster(node_network="10.0.0.0/16")


def read(section: str, **changes: Any) -> AddonsSettings:
    facts = {"network": "prod", "location": "fsn1", "firewall": "prod-nodes", "ssh_key": "operator", **changes}
    return addons_settings(yaml.safe_load(section) or {}, cluster=CLUSTER, **facts)


def test_an_empty_section_gives_what_nodes_cannot_be_without() -> None:
    settings = read("")
    assert settings.cloud_controller is not None
    assert settings.cloud_controller.network == "prod"
    assert settings.storage is not None
    assert settings.snapshots == CLUSTER.snapshots
    assert (settings.ingress, settings.monitoring, settings.workloads) == (None, None, None)


def test_what_the_cluster_knows_need_not_be_said_again() -> None:
    settings = read(
        f"""
        ingress: true
        certificates: {{email: ops@example.org}}
        monitoring: {{retentionDays: 30, customMetrics: true}}
        database: {{image: "ghcr.io/cloudnative-pg/postgresql:17.6", storageGb: 40}}
        workloads: {{image: "{IMAGE}", cells: {{image: "{CELL_IMAGE}"}}, host: app.example.org, scaleByMetrics: true}}
        autoscaler:
          pools: [{{name: cells, serverType: cpx42, arch: x86, location: fsn1, maximum: 5}}]
          images: {{x86: debian-12}}
        """
    )
    assert settings.ingress is not None
    assert settings.ingress.location == "fsn1"
    assert settings.workloads is not None
    assert settings.workloads.kubernetes_api == THREE
    assert settings.autoscaler is not None
    assert (settings.autoscaler.firewall, settings.autoscaler.cluster) == ("prod-nodes", CLUSTER)
    assert settings.monitoring is not None
    assert settings.monitoring.retention_days == 30


def test_both_spellings_mean_the_same() -> None:
    assert read("reboots: {timeZone: Europe/Berlin}") == read("reboots: {time_zone: Europe/Berlin}")
    vault = "{server: 'https://vault.example.org', role: clawstack"
    mount = ["mountPath: k8s", "mount_path: k8s"]
    assert read(f"externalSecrets: {{vault: {vault}, {mount[0]}}}}}") == read(
        f"external_secrets: {{vault: {vault}, {mount[1]}}}}}"
    )


def test_what_is_on_by_default_can_be_switched_off() -> None:
    settings = read("{cloudController: false, storage: false}")
    assert (settings.cloud_controller, settings.storage) == (None, None)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{cloudController: false}", "storage needs the cloud_controller"),
        ("{reboots: {start: '26:00'}}", "reboots.start"),
        ("{surprise: {}}", "surprise"),
        ("{externalSecrets: true}", "external_secrets: names no store"),
        ("{externalSecrets: {vault: {server: 'http://vault', role: x}}}", "external_secrets.vault.server"),
        ("{externalSecrets: {vault: {server: 'https://u:planted@vault', role: x}}}", "external_secrets.vault.server"),
        ("{certificates: true}", "certificates.email"),
        ("{ingress: 5}", "ingress"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence_with_a_remedy(section: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read(section)
    assert words in refused.value.message
    assert "\n" not in refused.value.sentence()
    assert refused.value.remedy
