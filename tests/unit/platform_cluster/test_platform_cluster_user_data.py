"""What this project's cluster adds to a node's cloud-config: authorities, the way out, mounts."""

from __future__ import annotations

import base64
import datetime as dt
import re

import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from clawstack.cluster import pki
from clawstack.cluster.plan import plan_cluster
from clawstack.cluster.reading import parse_cluster
from clawstack.cluster.user_data import NodeExtras, cluster_settings, node_settings, node_user_data
from clawstack.errors import InvalidInputError
from tests.unit.platform_cluster.examples import large_cluster, raw_cluster

AUTHORITIES = {
    name: pki.authority(name.encode().ljust(32), name=name, issued=dt.date(2026, 11, 21))
    for name in ("server-ca", "client-ca")
}


def _written(raw, name, extras=None):
    config = parse_cluster(raw)
    plan = plan_cluster(config)
    node = next(each for each in plan.nodes() if each.name == name)
    text = node_user_data(
        node_settings(node, cluster_settings(config, plan)),
        token="t" * 64, agent_token="a" * 64, authorities=AUTHORITIES, extras=extras or NodeExtras(),
    )  # fmt: skip
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def test_the_first_control_plane_gets_certificates_and_keys_that_openssl_reads():
    document = _written(raw_cluster(), "control-plane-1")
    files = {each["path"]: each for each in document["write_files"]}
    for name, pair in AUTHORITIES.items():
        folder = "/var/lib/rancher/k3s/server/tls"
        assert files[f"{folder}/{name}.crt"]["content"] == pair.certificate
        key = files[f"{folder}/{name}.der"]
        assert key["permissions"] == "0600"
        assert key["encoding"] == "b64"
        loaded = serialization.load_der_private_key(base64.b64decode(key["content"]), password=None)
        wanted = serialization.load_pem_private_key(pair.key.encode(), password=None)
        assert loaded.private_numbers() == wanted.private_numbers()
    first = document["runcmd"][0]
    assert first[:2] == ["sh", "-euc"]
    assert "openssl ec -inform DER -in client-ca.der -out client-ca.key" in first[2]
    start = next(index for index, command in enumerate(document["runcmd"]) if "start" in command)
    assert start > 0, "K3s starts before its authorities are there"


@pytest.mark.parametrize("name", ["control-plane-2", "cells-1"])
def test_no_other_node_gets_a_key(name):
    document = _written(large_cluster(), name)
    assert not re.search(r"-ca\.(der|key)", yaml.safe_dump(document))
    assert "PRIVATE KEY" not in yaml.safe_dump(document)


def test_the_way_out_comes_before_everything_that_needs_it():
    document = _written(large_cluster(), "cells-1", NodeExtras(network_range="10.7.0.0/16"))
    script = document["bootcmd"][0][2]
    assert "ip route replace default via 10.7.0.1" in script
    assert r"/^10.7\./" in script
    assert "185.12.64.1" in script


def test_a_volume_is_mounted_at_first_use_and_stops_no_boot():
    document = _written(raw_cluster(), "control-plane-1", NodeExtras(mounts={"pg": ("77", "xfs")}))
    device, place, format_, options, *_ = document["mounts"][0]
    assert (device, place, format_) == ("/dev/disk/by-id/scsi-0HC_Volume_77", "/var/lib/clawstack/volumes/pg", "xfs")
    assert {"nofail", "x-systemd.automount", "nosuid", "nodev"} <= set(options.split(","))


def test_the_operator_speaks_camel_case_to_k3s_too():
    config = parse_cluster(raw_cluster(kubernetes={"podTraffic": "vxlan", "localStorage": True}))
    settings = cluster_settings(config, plan_cluster(config))
    assert (settings.pod_traffic, settings.local_storage) == ("vxlan", True)


def test_the_api_name_is_in_the_certificate():
    config = parse_cluster(large_cluster())
    assert cluster_settings(config, plan_cluster(config)).api_sans == ("k8s.claw.example",)


def test_user_data_that_hetzner_would_refuse_is_refused_first():
    mounts = {f"volume-{place}": (str(place), "ext4") for place in range(400)}
    with pytest.raises(InvalidInputError, match="Hetzner takes 32768"):
        _written(raw_cluster(), "control-plane-1", NodeExtras(mounts=mounts))
