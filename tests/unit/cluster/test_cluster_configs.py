"""Flags and files of the components agree with each other and stay inside the data folder."""

from __future__ import annotations

import base64
import ipaddress
import json
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.unit.cluster.layouts import PROGRAMS, layout
from toolchain.cluster import certificates, configs, manifests
from toolchain.cluster.components import components
from toolchain.cluster.layout import Layout
from toolchain.cluster.pins import CLUSTER_BUILDS, KUBERNETES_BUILD, KWOK_BUILD, Build
from toolchain.cluster.processes import Process
from toolchain.cluster.record import Book, Record


@pytest.fixture
def plan(tmp_path: Path) -> Layout:
    return layout(tmp_path)


def flags(plan: Layout, name: str) -> dict[str, str]:
    command = next(part.command for part in components(plan, PROGRAMS) if part.name == name)
    return dict(word.removeprefix("--").split("=", 1) for word in command if word.startswith("--") and "=" in word)


def test_node_pods_and_services_have_addresses_of_their_own(plan: Layout) -> None:
    network = plan.network
    whole = ipaddress.ip_network(network.whole)
    pods, services = ipaddress.ip_network(network.pods), ipaddress.ip_network(network.services)
    node = ipaddress.ip_address(network.node_ip)
    assert pods.subnet_of(whole)
    assert services.subnet_of(whole)
    assert node in whole
    assert not pods.overlaps(services)
    assert node not in pods
    assert node not in services
    assert ipaddress.ip_address(network.dns_ip) in services
    assert ipaddress.ip_address(network.api_service_ip) in services


def test_the_api_server_takes_only_known_clients_and_its_store_only_the_api_server(plan: Layout) -> None:
    api, etcd = flags(plan, "kube-apiserver"), flags(plan, "etcd")
    assert api["authorization-mode"] == "Node,RBAC"
    assert "PodSecurity" in api["enable-admission-plugins"]
    assert api["bind-address"] == plan.network.node_ip
    assert api["etcd-servers"] == etcd["listen-client-urls"] == f"https://127.0.0.1:{plan.ports.etcd}"
    assert etcd["trusted-ca-file"] == api["etcd-cafile"] == api["client-ca-file"]


def test_pods_ask_for_names_where_the_dns_service_is(plan: Layout) -> None:
    service, endpoints = manifests.bootstrap(plan, helper_image="x")[:2]
    assert service["spec"]["clusterIP"] == configs.kubelet(plan)["clusterDNS"][0]
    assert f".:{plan.ports.dns} {{" in configs.corefile(plan)
    assert {port["port"] for port in endpoints["ports"]} == {plan.ports.dns}
    assert {port["name"] for port in endpoints["ports"]} == {port["name"] for port in service["spec"]["ports"]}
    assert endpoints["endpoints"][0]["addresses"] == [plan.network.node_ip]


def test_volumes_are_deleted_with_their_claims_and_may_grow(plan: Layout) -> None:
    storage = manifests.bootstrap(plan, helper_image="x")[-1]
    assert storage["kind"] == "StorageClass"
    assert storage["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert (storage["reclaimPolicy"], storage["allowVolumeExpansion"]) == ("Delete", True)
    assert storage["provisioner"] in " ".join(components(plan, PROGRAMS)[-1].command)


def test_everything_that_grows_lies_in_the_data_folder(plan: Layout) -> None:
    containerd = tomllib.loads(configs.containerd(plan, Path("/usr/lib/cni")))
    kubelet = configs.kubelet(plan)
    places = [
        containerd["root"],
        containerd["state"],
        containerd["grpc"]["address"],
        kubelet["podLogsDir"],
        kubelet["volumePluginDir"],
        flags(plan, "kubelet")["root-dir"],
        flags(plan, "etcd")["data-dir"],
        configs.cni(plan)["plugins"][0]["ipam"]["dataDir"],
        configs.volumes(plan)["nodePathMap"][0]["paths"][0],
    ]
    assert [place for place in places if not place.startswith(f"{plan.data}/")] == []


def test_the_machine_s_own_packet_filter_is_left_alone(plan: Layout) -> None:
    assert configs.kubelet(plan)["makeIPTablesUtilChains"] is False
    assert configs.proxy(plan)["mode"] == "nftables"
    assert configs.cni(plan)["plugins"][0]["ipMasq"] is False


def test_imported_images_are_never_collected(plan: Layout) -> None:
    assert configs.kubelet(plan)["imageGCHighThresholdPercent"] == 100


def test_no_two_components_share_a_port(plan: Layout) -> None:
    ports = [part.probe.port for part in components(plan, PROGRAMS) if part.probe.port]
    assert len(ports) == len(set(ports)) == 7


def test_certificates_speak_for_whom_kubernetes_expects(plan: Layout) -> None:
    plan.configs.mkdir()
    certificates.write_all(plan)
    authority = x509.load_pem_x509_certificate((plan.pki / "ca.crt").read_bytes())
    for identity in certificates.identities(plan):
        certificate = x509.load_pem_x509_certificate((plan.pki / f"{identity.name}.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == identity.user
        key = load_pem_private_key((plan.pki / f"{identity.name}.key").read_bytes(), None)
        assert key.public_key() == certificate.public_key()
    assert {file.stat().st_mode & 0o077 for file in plan.pki.iterdir()} == {0}


def test_the_content_of_a_kubeconfig_is_enough(plan: Layout) -> None:
    plan.configs.mkdir()
    certificates.write_all(plan)
    content = yaml.safe_load(plan.admin_kubeconfig.read_text())
    assert content["clusters"][0]["cluster"]["server"] == plan.server
    embedded = base64.b64decode(content["users"][0]["user"]["client-certificate-data"])
    assert embedded == (plan.pki / "admin.crt").read_bytes()
    assert str(plan.data) not in plan.admin_kubeconfig.read_text()


@pytest.mark.parametrize("build", [*CLUSTER_BUILDS, KWOK_BUILD], ids=lambda build: build.name)
def test_every_build_has_its_module_committed(build: Build) -> None:
    text = (build.module / "go.mod").read_text()
    assert build.name in text.splitlines()[0]
    assert f"v{build.version}" in text or not (build.module / "go.sum").exists()


def test_all_parts_of_kubernetes_are_of_one_version() -> None:
    text = (KUBERNETES_BUILD.module / "go.mod").read_text()
    replaced = {line.split()[-1] for line in text.splitlines() if line.strip().startswith("k8s.io/") and "=>" in line}
    assert replaced == {f"v0{KUBERNETES_BUILD.version.removeprefix('1')}"}


def test_a_record_says_after_reading_what_was_written(plan: Layout, tmp_path: Path) -> None:
    book = Book(folder=tmp_path)
    record = Record(
        layout=plan,
        owner=Process(pid=5, started=7),
        ready=True,
        processes={"etcd": Process(pid=6, started=8)},
        kernel_settings={"net/ipv4/ip_forward": "0"},
    )
    book.write(record)
    assert book.read() == record
    assert json.loads((tmp_path / "cluster.json").read_text())["owner"] == {"pid": 5, "started": 7}
    book.forget()
    assert book.read() is None
