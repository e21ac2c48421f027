"""User data as Hetzner and cloud-init get it: reviewed word by word, small enough, and with no more secrets than needed."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawstack.errors import InvalidInputError
from clawstack.k3s import MAX_BYTES, NodeSettings, user_data
from tests.unit.k3s.clusters import AGENT_TOKEN, TOKEN, control_plane, large_cluster, node, worker

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "autoscaled": worker(name=None, private_address=None, cluster=large_cluster(node_network="10.0.0.0/16")),
    "dev": node(),
    "control-plane-1": control_plane(1),
    "control-plane-2": control_plane(2),
    "control-plane-3": control_plane(3),
    "worker-x86": worker(),
    "worker-arm": worker(name="prod-arm-a", arch="arm", private_address="10.0.2.21", taints=[]),
}


def render(of: NodeSettings, **changes: Any) -> str:
    return user_data(of, **{"token": TOKEN, "agent_token": AGENT_TOKEN, **changes})


def test_a_worker_needs_no_server_token_and_a_control_plane_does() -> None:
    assert user_data(worker(), agent_token=AGENT_TOKEN) == render(worker())
    with pytest.raises(InvalidInputError, match="needs the server token"):
        user_data(node(), agent_token=AGENT_TOKEN)


def parsed(of: NodeSettings, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render(of, **changes))
    return found


def file(of: NodeSettings, path: str, **changes: Any) -> str:
    [content] = [entry["content"] for entry in parsed(of, **changes)["write_files"] if entry["path"] == path]
    return str(content)


def paths(of: NodeSettings) -> set[str]:
    return {entry["path"] for entry in parsed(of)["write_files"]}


def k3s(of: NodeSettings) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file(of, "/etc/rancher/k3s/config.yaml"))
    return found


def environment(of: NodeSettings, **changes: Any) -> dict[str, str]:
    lines = shlex.split(file(of, "/etc/clawstack/node.env", **changes))
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_user_data_is_what_was_reviewed(name: str) -> None:
    """`REWRITE_GOLDEN=1 pytest ...` writes them anew; read the difference before it is committed."""
    rendered = render(CASES[name])
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("REWRITE_GOLDEN") == "1":
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_it_starts_as_cloud_init_demands_and_equal_nodes_get_equal_text(name: str) -> None:
    assert render(CASES[name]).startswith("#cloud-config\n")
    assert render(CASES[name]) == render(CASES[name].model_copy())


def test_the_server_token_never_reaches_a_worker() -> None:
    for name, case in CASES.items():
        text = render(case)
        assert (TOKEN in text) == (case.role == "control-plane"), name
        assert AGENT_TOKEN in text


def test_with_an_address_to_fetch_them_from_no_token_is_in_user_data() -> None:
    url = "https://bucket.example.org/once?X-Signature=abc&X-Expires=900"
    for case in CASES.values():
        text = render(case, tokens_url=url)
        assert "Planted" not in text
        assert environment(case, tokens_url=url)["TOKENS_URL"] == url


AUTHORITY = "-----BEGIN CERTIFICATE-----\nTWFkZVVw\n-----END CERTIFICATE-----\n"


def test_with_a_known_authority_nodes_join_no_other_cluster() -> None:
    digest = hashlib.sha256(AUTHORITY.encode()).hexdigest()
    known = {"ca_certificate": AUTHORITY}
    assert file(worker(), "/etc/rancher/k3s/agent-token", **known) == f"K10{digest}::node:{AGENT_TOKEN}"
    assert file(control_plane(2), "/etc/rancher/k3s/token", **known) == f"K10{digest}::server:{TOKEN}"
    assert file(control_plane(2), "/etc/rancher/k3s/agent-token", **known) == AGENT_TOKEN, "its own, to compare with"
    assert file(control_plane(1), "/etc/rancher/k3s/token", **known) == TOKEN, "it makes the cluster"
    later = control_plane(1, cluster=large_cluster(initialise=False))
    assert file(later, "/etc/rancher/k3s/token", **known).startswith("K10")


def test_files_with_secrets_are_roots_alone() -> None:
    for case in CASES.values():
        for entry in parsed(case)["write_files"]:
            secret = "Planted" in entry["content"] or entry["path"].startswith(
                ("/etc/rancher", "/etc/clawstack/node.env")
            )
            assert not secret or entry["permissions"] == "0600", entry["path"]


def test_secrets_are_encrypted_and_the_api_is_audited_unless_told_otherwise() -> None:
    config = k3s(node())
    assert config["secrets-encryption"] is True
    assert config["secrets-encryption-provider"] == "secretbox"
    assert "audit-policy-file=/etc/rancher/k3s/audit-policy.yaml" in config["kube-apiserver-arg"]
    assert "/etc/rancher/k3s/audit-policy.yaml" in paths(node())
    silent = node(cluster=large_cluster(audit=None, control_planes=("10.0.1.10",)))
    assert not [argument for argument in k3s(silent)["kube-apiserver-arg"] if argument.startswith("audit")]
    assert "/etc/rancher/k3s/audit-policy.yaml" not in paths(silent)


def test_the_audit_never_records_the_content_of_secrets() -> None:
    policy = yaml.safe_load(file(node(), "/etc/rancher/k3s/audit-policy.yaml"))
    for rule in policy["rules"]:
        named = {name for entry in rule.get("resources", []) for name in entry.get("resources", [])}
        if rule["level"] in {"Request", "RequestResponse"}:
            assert named.isdisjoint({"secrets", "configmaps", "*"})
            assert rule["resources"], "a rule for everything records everything"
            for entry in rule["resources"]:
                assert entry["group"] == "rbac.authorization.k8s.io" or entry.get("resources")
    levels = [
        rule["level"]
        for rule in policy["rules"]
        if any("secrets" in entry.get("resources", []) for entry in rule.get("resources", []))
    ]
    assert levels == ["Metadata"]


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_pods_without_a_namespaces_own_word_are_held_to_a_standard(level: str) -> None:
    case = node(cluster=large_cluster(pod_security=level, control_planes=("10.0.1.10",)))
    admission = yaml.safe_load(file(case, "/etc/rancher/k3s/admission.yaml"))
    pod_security = admission["plugins"][0]["configuration"]
    assert pod_security["defaults"]["enforce"] == level
    assert pod_security["exemptions"]["namespaces"] == ["kube-system"]


def test_kubelets_are_hardened_on_every_node() -> None:
    for case in CASES.values():
        config = k3s(case)
        assert config["protect-kernel-defaults"] is True
        assert {"anonymous-auth=false", "read-only-port=0", "seccomp-default=true", "cloud-provider=external"} <= set(
            config["kubelet-arg"]
        )
        kernel = file(case, "/etc/sysctl.d/90-kubelet.conf")
        # What the kubelet compares when kernel defaults are protected (Kubernetes, pkg/util/sysctl).
        for line in (
            "vm.overcommit_memory = 1",
            "vm.panic_on_oom = 0",
            "kernel.panic = 10",
            "kernel.panic_on_oops = 1",
            "kernel.keys.root_maxkeys = 1000000",
            "kernel.keys.root_maxbytes = 25000000",
        ):
            assert f"{line}\n" in kernel


def test_without_hetzners_controller_k3s_looks_at_nodes_itself() -> None:
    alone = node(cluster=large_cluster(external_cloud_controller=False, control_planes=("10.0.1.10",)))
    assert "cloud-provider=external" not in k3s(alone)["kubelet-arg"]
    assert k3s(alone)["disable-cloud-controller"] is False
    assert k3s(node())["disable-cloud-controller"] is True


def test_the_api_is_known_by_every_name_it_is_called_by() -> None:
    assert k3s(control_plane(2))["tls-san"] == [
        "10.0.1.10", "10.0.1.11", "10.0.1.12", "10.0.1.5", "203.0.113.7", "k8s.example.org",
    ]  # fmt: skip


def test_snapshots_name_only_the_secret_that_holds_their_place() -> None:
    config = k3s(control_plane(1))
    assert config["etcd-s3"] is True
    assert config["etcd-s3-config-secret"] == "k3s-etcd-snapshot-s3-config"
    # K3s reads the Secret only while no other option names a place (K3s documentation, etcd-snapshot).
    others = {"etcd-s3-bucket", "etcd-s3-endpoint", "etcd-s3-region", "etcd-s3-folder", "etcd-s3-access-key"}
    assert others.isdisjoint(config)
    assert "clawstack-etcd" not in render(control_plane(1))
    assert not [key for key in k3s(node()) if key.startswith("etcd-s3")]


def test_only_the_first_node_may_make_a_cluster_and_only_while_there_is_none() -> None:
    assert environment(control_plane(1))["MAY_INITIALISE"] == "yes"
    assert environment(control_plane(2))["MAY_INITIALISE"] == "no"
    assert environment(worker())["MAY_INITIALISE"] == "no"
    later = control_plane(1, cluster=large_cluster(initialise=False))
    assert environment(later)["MAY_INITIALISE"] == "no"


def test_nodes_join_others_and_never_themselves() -> None:
    assert environment(node())["JOIN_ADDRESSES"] == ""
    assert environment(control_plane(2))["JOIN_ADDRESSES"] == "10.0.1.10 10.0.1.12"
    assert environment(worker())["JOIN_ADDRESSES"] == "10.0.1.5 10.0.1.10 10.0.1.11 10.0.1.12"


def test_each_architecture_gets_its_own_binary() -> None:
    x86, arm = environment(worker()), environment(worker(arch="arm"))
    assert x86["K3S_URL"].endswith("/k3s")
    assert arm["K3S_URL"].endswith("/k3s-arm64")
    assert x86["K3S_SHA256"] != arm["K3S_SHA256"]
    assert "%2B" in x86["K3S_URL"]


def test_options_that_must_be_equal_on_all_control_planes_are_equal() -> None:
    """K3s documentation, server: critical configuration values."""
    critical = (
        "cluster-cidr", "service-cidr", "cluster-dns", "disable-cloud-controller", "disable", "flannel-backend",
        "secrets-encryption", "secrets-encryption-provider", "embedded-registry", "agent-token-file",
    )  # fmt: skip
    first, *others = [k3s(control_plane(number)) for number in (1, 2, 3)]
    for other in others:
        assert {key: other[key] for key in critical} == {key: first[key] for key in critical}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token": "short"}, "server token"),
        ({"agent_token": 'x"; rm -rf / #' + "a" * 40}, "agent token"),
        ({"agent_token": TOKEN}, "the same"),
        ({"tokens_url": "http://plain.example.org/tokens"}, "https"),
        ({"tokens_url": "https://a b"}, "https"),
        ({"ca_certificate": AUTHORITY.rstrip()}, "line break"),
        ({"ca_certificate": AUTHORITY * 2}, "one PEM certificate"),
    ],
)
def test_tokens_that_could_not_work_are_refused_without_being_told(changes: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        render(node(), **changes)
    assert words in refused.value.message
    assert "Planted" not in refused.value.message
    assert "rm -rf" not in refused.value.message


def test_the_largest_settings_fit_or_are_refused() -> None:
    fitting = control_plane(
        1,
        labels={f"clawstack.dev/label-{number}": "v" * 40 for number in range(30)},
        cluster=large_cluster(
            api_sans=tuple(f"api-{number}.clusters.example.org" for number in range(20)),
            authorized_keys=tuple(f"ssh-ed25519 {'A' * 68} operator-{number}" for number in range(20)),
        ),
    )
    assert len(render(fitting).encode()) < MAX_BYTES
    with pytest.raises(InvalidInputError, match="Hetzner takes 32768"):
        render(control_plane(1, labels={f"clawstack.dev/label-{number}": "v" * 60 for number in range(300)}))


WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=40)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=WORDS,
    labels=st.dictionaries(WORDS.map(lambda word: f"clawstack.dev/{word}"), WORDS, max_size=60),
    sans=st.lists(WORDS.map(lambda word: f"{word}.example.org"), max_size=60),
    arch=st.sampled_from(["x86", "arm"]),
)
def test_whatever_fits_reads_back_as_it_was_meant(
    name: str, labels: dict[str, str], sans: list[str], arch: str
) -> None:
    case = control_plane(2, name=name, labels=labels, arch=arch, cluster=large_cluster(api_sans=tuple(sans)))
    assert len(render(case).encode()) <= MAX_BYTES
    config = k3s(case)
    assert config["node-name"] == name
    assert dict(entry.split("=") for entry in config.get("node-label", [])) == labels
    assert set(sans) <= set(config["tls-san"])
    assert parsed(case)["hostname"] == name
