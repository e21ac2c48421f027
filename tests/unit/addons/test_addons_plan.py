"""Which add-ons there are and what they consist of, as data: switches, order, labels, pins."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from clawstack.addons import build_addons
from clawstack.addons.base.pins import shipped_pins
from clawstack.addons.charts.autoscaler import autoscaler_config
from clawstack.k3s import pinned_release
from clawstack.labels import CLUSTER, MANAGED_BY
from clawstack_policies.kubernetes.storage import cell_volumes_deleted
from tests.unit.addons.builders import (
    CELL_IMAGE,
    EVERYTHING,
    SWITCHES,
    addon,
    document,
    manifests,
    settings,
    small,
    values,
)
from tests.unit.k3s.clusters import AGENT_TOKEN
from tests.unit.policies.judging import judge

#: Made by the cluster itself or by a bundle, not by us.
FOREIGN_NAMESPACES = {"kube-system", "system-upgrade"}


def test_nothing_is_installed_that_nobody_switched_on() -> None:
    assert build_addons(small()) == ()


def test_every_switch_adds_something_and_only_its_own() -> None:
    everything = {entry.key for entry in build_addons(settings())}
    assert len(everything) == len(SWITCHES)
    for switch in ("snapshots", "upgrades", "reboots", "external_secrets", "autoscaler"):
        without = {entry.key for entry in build_addons(settings(**{switch: None}))}
        assert len(everything - without) == 1, switch
        assert without < everything


def test_each_addon_comes_after_those_that_it_needs() -> None:
    seen: set[str] = set()
    for entry in build_addons(settings()):
        assert set(entry.needs) <= seen, entry.key
        seen.add(entry.key)


def test_no_object_and_no_release_is_there_twice() -> None:
    keys = [manifest.key() for manifest in manifests()]
    assert len(set(keys)) == len(keys)
    releases = [(chart.namespace, chart.name) for entry in build_addons(settings()) for chart in entry.charts]
    assert len(set(releases)) == len(releases)


def test_every_object_is_labelled_and_lies_in_a_namespace_that_exists() -> None:
    made = {manifest.name for manifest in manifests() if manifest.kind == "Namespace"}
    for manifest in manifests():
        metadata = manifest.document()["metadata"]
        assert metadata["labels"][CLUSTER] == "prod"
        assert metadata["labels"][MANAGED_BY] == "clawstack"
        assert metadata["name"] == manifest.name
        assert metadata.get("namespace") == manifest.namespace
        assert manifest.namespace is None or manifest.namespace in made | FOREIGN_NAMESPACES
    for entry in build_addons(settings()):
        for chart in entry.charts:
            assert chart.namespace in made | FOREIGN_NAMESPACES


def test_every_namespace_says_what_pods_it_takes() -> None:
    levels = {
        manifest.name: manifest.document()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for manifest in manifests()
        if manifest.kind == "Namespace"
    }
    # These watch or restart the node itself.
    assert {name for name, level in levels.items() if level != "restricted"} == {"monitoring", "kured"}


def test_every_chart_is_pinned_exactly() -> None:
    for entry in build_addons(settings()):
        for chart in entry.charts:
            pin = shipped_pins()[chart.chart]
            assert (chart.repo, chart.version) == (pin.repo, pin.version)
        for bundle in entry.bundles:
            pin = shipped_pins()["gateway-api" if entry.key == "ingress" else "system-upgrade-controller"]
            assert bundle.url.startswith(f"{pin.repo}/{pin.version}/")


def test_an_operator_may_choose_another_version_of_what_there_is() -> None:
    chosen = addon("ingress", settings(versions={"traefik": "41.5.1"}))
    assert [chart.version for chart in chosen.charts] == ["41.5.1"]
    with pytest.raises(ValidationError, match="no add-on"):
        settings(versions={"nginx": "1.0.0"})


@pytest.mark.parametrize("version", ["latest", "41", "~41.5", ">=1.0.0", ""])
def test_a_range_is_no_version(version: str) -> None:
    with pytest.raises(ValidationError):
        build_addons(settings(versions={"traefik": version}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cloud_controller": None}, "storage needs the cloud_controller"),
        ({"cloud_controller": None, "storage": None}, "ingress needs the cloud_controller"),
        ({"database": None}, "need a database"),
        ({"certificates": None}, "needs ingress and certificates"),
        ({"monitoring": None}, "scale_by_metrics"),
        ({"monitoring": {"custom_metrics": False}}, "scale_by_metrics"),
        ({"certificates": {"email": "nobody"}}, "email"),
        ({"reboots": {"start": "25:00"}}, "start"),
        ({"ingress": {"location": "moon"}}, "location"),
        ({"surprise": {}}, "surprise"),
        ({"workloads": {**EVERYTHING["workloads"], "image": "clawstack:latest"}}, "image"),
        ({"workloads": {**EVERYTHING["workloads"], "worker": {"minimum": 1, "maximum": 3}}}, "ReadWriteMany"),
        ({"workloads": {**EVERYTHING["workloads"], "api": {"minimum": 3, "maximum": 2}}}, "above maximum"),
        (
            {
                "workloads": {
                    **EVERYTHING["workloads"],
                    "cells": {"image": CELL_IMAGE, "storage_class": "hcloud-volumes"},
                }
            },
            "no cell could ever be destroyed",
        ),
        ({"autoscaler": {**EVERYTHING["autoscaler"], "images": {"x86": "debian-12"}}}, "none for arm"),
        ({"autoscaler": {**EVERYTHING["autoscaler"], "pools": []}}, "pools"),
    ],
)
def test_what_cannot_work_together_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    assert words in str(refused.value)


def test_the_storage_driver_reaches_the_metadata_service_that_pods_do_not() -> None:
    assert values("storage", "hcloud-csi")["node"] == {"hostNetwork": True}
    assert values("storage", "hcloud-csi")["storageClasses"][0]["reclaimPolicy"] == "Retain"


def test_cells_get_a_class_that_deletes_and_encrypts_and_the_services_name_it() -> None:
    cells = document("StorageClass", "clawstack-cells")
    assert cells["provisioner"] == "csi.hetzner.cloud"
    assert (cells["reclaimPolicy"], cells["volumeBindingMode"]) == ("Delete", "WaitForFirstConsumer")
    assert cells["allowVolumeExpansion"] is True
    [secret] = [entry for entry in manifests() if entry.name == "clawstack-cells-volumes"]
    assert cells["parameters"] == {
        "csi.storage.k8s.io/node-publish-secret-name": secret.name,
        "csi.storage.k8s.io/node-publish-secret-namespace": secret.namespace,
    }
    assert secret.data == {"encryption-passphrase": "volume_passphrase"}
    assert judge(cell_volumes_deleted(), cells, type_="kubernetes:storage.k8s.io/v1:StorageClass") == []
    plain = settings(storage={"encrypt_cells": False})
    assert "parameters" not in document("StorageClass", "clawstack-cells", plain)
    assert not [entry for entry in manifests(plain) if entry.name == "clawstack-cells-volumes"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "clawstack-cells"), ({"storage": None}, None), ({"cells": {"storage_class": "own"}}, "own")],
)
def test_the_services_are_told_which_class_cells_take(changes: dict[str, Any], expected: str | None) -> None:
    own = {**EVERYTHING["workloads"], "cells": {"image": CELL_IMAGE, **changes.pop("cells", {})}}
    of = settings(**changes, workloads=own)
    [container] = document("Deployment", "clawstack-worker", of)["spec"]["template"]["spec"]["containers"]
    told = next(entry["value"] for entry in container["env"] if entry["name"] == "CLAWSTACK_CLUSTER")
    assert json.loads(told).get("storage_class") == expected


def test_the_store_of_secrets_serves_the_services_alone_and_holds_no_token() -> None:
    store = document("ClusterSecretStore", "clawstack")["spec"]
    assert store["conditions"] == [{"namespaces": ["clawstack"]}]
    vault = store["provider"]["vault"]
    assert (vault["server"], vault["path"], vault["version"]) == ("https://vault.example.org", "secret", "v2")
    assert list(vault["auth"]) == ["kubernetes"]
    [chart] = addon("external-secrets").charts
    account = vault["auth"]["kubernetes"]["serviceAccountRef"]
    assert account == {"name": chart.name, "namespace": chart.namespace}


def test_hetzners_token_is_in_one_secret_that_all_use() -> None:
    assert document("Secret", "hcloud")["metadata"]["namespace"] == "kube-system"
    token = {"name": "hcloud", "key": "token"}
    assert values("storage", "hcloud-csi")["controller"]["hcloudToken"]["existingSecret"] == token
    assert values("autoscaler", "cluster-autoscaler")["extraEnvSecrets"]["HCLOUD_TOKEN"] == token


def test_nodes_are_restarted_whatever_their_taints_and_only_one_at_a_time() -> None:
    kured = values("reboots", "kured")
    assert kured["tolerations"] == [{"operator": "Exists"}]
    assert kured["configuration"]["concurrency"] == 1
    assert (kured["configuration"]["startTime"], kured["configuration"]["endTime"]) == ("02:00", "05:00")


def test_upgrades_go_to_the_pinned_release_control_planes_first_and_one_by_one() -> None:
    servers = document("Plan", "control-planes")["spec"]
    workers = document("Plan", "workers")["spec"]
    assert servers["version"] == workers["version"] == pinned_release().version
    assert servers["concurrency"] == 1
    assert workers["prepare"]["args"] == ["prepare", "control-planes"]
    assert addon("upgrades", settings(upgrades={})).after == (), "no plans unless they are switched on"


def test_the_snapshots_secret_says_everything_that_k3s_reads_from_it() -> None:
    [secret] = addon("snapshots").before
    assert (secret.name, secret.namespace) == ("k3s-etcd-snapshot-s3-config", "kube-system")
    assert set(secret.data) == {
        f"etcd-s3-{part}" for part in ("endpoint", "bucket", "folder", "region", "access-key", "secret-key")
    }
    assert secret.secrets() == {"snapshot_access_key", "snapshot_secret_key"}


def test_machines_of_the_autoscaler_join_like_all_others_and_hold_only_the_agent_token() -> None:
    own = settings().autoscaler
    assert own is not None
    config = json.loads(autoscaler_config(own, agent_token=AGENT_TOKEN))
    assert config["imagesForArch"] == {"amd64": "debian-12", "arm64": "debian-12"}
    for pool in own.pools:
        node = config["nodeConfigs"][pool.name]
        cloud_config = yaml.safe_load(node["cloudInit"])
        files = {entry["path"]: entry["content"] for entry in cloud_config["write_files"]}
        assert files["/etc/rancher/k3s/agent-token"] == AGENT_TOKEN
        assert "/etc/rancher/k3s/token" not in files
        assert "NODE_NETWORK=10.0.0.0/16" in files["/etc/clawstack/node.env"]
        assert f"clawstack.dev/pool={pool.name}" in files["/etc/rancher/k3s/config.yaml"]
        assert node["labels"]["clawstack.dev/pool"] == pool.name, "what the node says and what the autoscaler expects"
    arm = yaml.safe_load(config["nodeConfigs"]["arm"]["cloudInit"])
    assert "k3s-arm64" in next(file["content"] for file in arm["write_files"] if file["path"].endswith("node.env"))


def test_the_autoscaler_itself_needs_no_machine_that_it_would_have_to_make() -> None:
    chart = values("autoscaler", "cluster-autoscaler")
    assert chart["nodeSelector"] == {"node-role.kubernetes.io/control-plane": "true"}
    assert chart["extraEnv"]["HCLOUD_FIREWALL"] == "prod-nodes"
    assert chart["image"]["tag"].rsplit(".", 1)[0] == pinned_release().version.rsplit(".", 1)[0], "same minor as K3s"


def test_grafana_never_has_the_charts_own_password() -> None:
    admin = values("monitoring", "kube-prometheus-stack")["grafana"]["admin"]
    assert admin["existingSecret"] == "grafana-admin"


def test_gateways_come_with_their_kinds_and_only_where_they_are_wanted() -> None:
    assert [bundle.name for bundle in addon("ingress").bundles] == ["gateway-kinds"]
    plain = addon("ingress", settings(ingress={"location": "fsn1"}))
    assert plain.bundles == ()
    [chart] = plain.charts
    assert chart.values["providers"]["kubernetesGateway"] == {"enabled": False}


def test_alerts_can_be_sent_somewhere_without_telling_the_address() -> None:
    sent = values("monitoring", "kube-prometheus-stack", settings(monitoring={"alert_webhook_secret": "pager"}))
    [receiver, _] = sent["alertmanager"]["config"]["receivers"]
    assert receiver["webhook_configs"][0]["url_file"] == "/etc/alertmanager/secrets/pager/url"
    assert "config" not in values("monitoring", "kube-prometheus-stack")["alertmanager"]


def test_values_of_charts_are_plain_data() -> None:
    for entry in build_addons(settings()):
        for chart in entry.charts:
            assert json.loads(json.dumps(dict(chart.values))) == dict(chart.values)
