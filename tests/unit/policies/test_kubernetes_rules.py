"""Every Kubernetes rule: what the product renders passes, each way of breaking it fails, strangers and unknowns."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy import ResourceValidationPolicy
from pulumi_policy.proxy import UnknownValueError

from clawstack_policies.kubernetes.boundaries import (
    no_cluster_scope,
    no_exposed_service,
    no_foreign_namespace,
    pod_security_enforced,
)
from clawstack_policies.kubernetes.network import default_deny_present, egress_to_platform, ingress_from_platform
from clawstack_policies.kubernetes.objects import pod_of
from clawstack_policies.kubernetes.pods import (
    images_pinned,
    no_api_token,
    pods_limited,
    pods_off_host,
    pods_restricted,
    pods_unprivileged,
)
from clawstack_policies.pack import POLICIES
from tests.unit.policies.judging import UNKNOWN, _args, judge
from tests.unit.policies.kubernetes_objects import (
    NAMESPACE,
    Object,
    everything,
    judged,
    pods,
    shown,
    stack_judged,
    type_of,
)

STRANGER = "random:index/randomPet:RandomPet"
ROUTED = {"platformNamespaces": ["clawstack"]}
POD_RULES = [pods_restricted, pods_off_host, pods_unprivileged, no_api_token, pods_limited, images_pinned]
RULES = [*POD_RULES, egress_to_platform, ingress_from_platform, no_exposed_service, no_foreign_namespace]
RULES += [no_cluster_scope, pod_security_enforced]


def first(pod: Object) -> Any:
    return pod["containers"][0]


JUDGING = [p for p in POLICIES if isinstance(p, ResourceValidationPolicy)]


@pytest.mark.parametrize("policy", JUDGING, ids=lambda policy: policy.name)
def test_what_the_product_renders_passes_every_rule(policy: ResourceValidationPolicy) -> None:
    for props in everything():
        assert judged(policy, props) == [], props["kind"]


def test_the_rendered_stack_is_walled() -> None:
    assert stack_judged(default_deny_present(), everything()) == []


def spec_set(**values: Any) -> Any:
    return lambda pod: pod.update(values)


def container_set(**values: Any) -> Any:
    return lambda pod: first(pod).update(values)


def security_set(**values: Any) -> Any:
    return lambda pod: first(pod)["securityContext"].update(values)


POD_BREACHES = [
    (pods_restricted, lambda pod: pod["securityContext"].pop("runAsNonRoot"), "may run as root"),
    (pods_restricted, security_set(runAsNonRoot=False), "gateway may run as root"),
    (pods_restricted, lambda pod: pod["securityContext"].pop("seccompProfile"), "no seccomp"),
    (pods_restricted, security_set(seccompProfile={"type": "Unconfined"}), "no seccomp"),
    (pods_restricted, security_set(allowPrivilegeEscalation=True), "gain privileges"),
    (pods_restricted, security_set(capabilities={"drop": ["NET_RAW"]}), "keeps capabilities"),
    (pods_restricted, security_set(capabilities={}), "keeps capabilities"),
    (pods_restricted, security_set(readOnlyRootFilesystem=False), "write to its root"),
    (pods_restricted, lambda pod: pod["initContainers"][0].pop("securityContext"), "container seed"),
    (pods_restricted, lambda pod: pod["volumes"].append({"name": "x", "nfs": {"server": "a"}}), "volume x is a nfs"),
    (pods_off_host, spec_set(hostNetwork=True), "hostNetwork"),
    (pods_off_host, spec_set(hostPID=True), "hostPID"),
    (pods_off_host, spec_set(hostIPC=True), "hostIPC"),
    (pods_off_host, lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}), "path of the node"),
    (pods_off_host, container_set(ports=[{"containerPort": 1, "hostPort": 443}]), "port 443"),
    (pods_unprivileged, security_set(privileged=True), "is privileged"),
    (pods_unprivileged, security_set(capabilities={"add": ["SYS_ADMIN"]}), "SYS_ADMIN"),
    (pods_unprivileged, security_set(runAsUser=0), "runs as root"),
    (pods_unprivileged, lambda pod: pod["securityContext"].update(runAsUser=0), "runs as root"),
    (pods_unprivileged, lambda pod: pod["securityContext"].update(sysctls=[{"name": "x"}]), "kernel parameters"),
    (pods_unprivileged, security_set(procMount="Unmasked"), "/proc"),
    (pods_unprivileged, lambda pod: pod["initContainers"][0]["securityContext"].update(privileged=True), "seed"),
    (no_api_token, spec_set(automountServiceAccountToken=True), "mounts a service-account token"),
    (no_api_token, lambda pod: pod.pop("automountServiceAccountToken"), "mounts a service-account token"),
    (
        no_api_token,
        lambda pod: pod["volumes"].append({"name": "x", "projected": {"sources": [{"serviceAccountToken": {}}]}}),
        "volume x",
    ),
    (pods_limited, lambda pod: first(pod).pop("resources"), "cpu, memory, ephemeral-storage"),
    (pods_limited, lambda pod: first(pod)["resources"]["limits"].pop("memory"), "no limit for memory"),
    (pods_limited, lambda pod: pod["initContainers"][0].update(resources={"limits": {}}), "container seed"),
    (images_pinned, container_set(image="openclaw:latest"), "openclaw:latest"),
    (images_pinned, container_set(image="openclaw@sha256:" + "a" * 64), "sha256"),
    (images_pinned, container_set(image="openclaw:1@sha256:abc"), "sha256:abc"),
    (images_pinned, lambda pod: pod["initContainers"][0].update(image=""), "container seed runs no image"),
]


@pytest.mark.parametrize(("make", "change", "words"), POD_BREACHES)
def test_a_pod_that_breaks_a_rule_is_refused(make: Any, change: Any, words: str) -> None:
    policy = make()
    reports = judged(policy, pods(change))
    assert reports
    assert words in reports[0]
    assert policy.remediation_steps in reports[0]


@pytest.mark.parametrize("make", POD_RULES)
def test_a_pod_that_is_not_known_yet_is_not_judged(make: Any) -> None:
    with pytest.raises(UnknownValueError):
        judged(make(), pods(spec_set(containers=UNKNOWN, automountServiceAccountToken=UNKNOWN)))


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "ReplicaSet", "Job"])
def test_pods_are_found_in_whatever_makes_them(kind: str) -> None:
    props = {**pods(spec_set(hostNetwork=True)), "kind": kind}
    assert judged(pods_off_host(), props)


def test_pods_are_found_alone_and_on_a_schedule() -> None:
    pod = pods(spec_set(hostNetwork=True))["spec"]["template"]["spec"]
    alone = {**pods(), "apiVersion": "v1", "kind": "Pod", "spec": pod}
    scheduled = {**pods(), "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    assert judged(pods_off_host(), alone)
    assert judged(pods_off_host(), scheduled)
    assert pod_of("kubernetes:core/v1:Pod", {}) == {}


def test_a_service_account_gives_no_token() -> None:
    account = shown("ServiceAccount", change=lambda found: found.update(automountServiceAccountToken=True))
    assert "every pod" in judged(no_api_token(), account)[0]
    assert judged(
        no_api_token(), shown("ServiceAccount", change=lambda found: found.pop("automountServiceAccountToken"))
    )


@pytest.mark.parametrize("make", RULES)
def test_other_types_are_nobodys_business(make: Any) -> None:
    assert judge(make(), {"metadata": {"name": "x"}}, type_=STRANGER) == []


@pytest.mark.parametrize("make", RULES)
def test_the_platforms_own_objects_are_not_judged(make: Any) -> None:
    policy = make()
    broken = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "csi", "namespace": "kube-system"}}
    found: list[str] = []
    args = _args(type_of(broken), "csi", {**broken, "spec": {"hostNetwork": True, "containers": [{"name": "a"}]}}, None)
    args.urn = args.urn.replace("clawstack-cells", "clawstack")
    policy.validate(args, lambda text, _=None: found.append(text))
    assert found == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "cell-anna"},
        {"name": "other", "labels": {"clawstack.dev/tenant": "anna"}},
    ],
)
def test_a_tenants_namespace_is_known_wherever_it_is_declared(metadata: Object) -> None:
    props = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    assert stack_judged(default_deny_present(), [props], project="clawstack")


def rules(**spec: Any) -> Object:
    return shown("NetworkPolicy", "gateway-rules", lambda found: found["spec"].update(spec))


def to(*peers: Object, ports: Any = ({"port": 8080},)) -> list[Object]:
    return [{"to": list(peers), "ports": list(ports)}]


def place(name: str, **pods_: str) -> Object:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    return {"namespaceSelector": selector, **({"podSelector": {"matchLabels": pods_}} if pods_ else {})}


def block(cidr: str) -> Object:
    return {"ipBlock": {"cidr": cidr}}


class TestEgress:
    @pytest.mark.parametrize(
        ("egress", "words"),
        [
            ([{}], "call everybody"),
            ([{"ports": [{"port": 443}]}], "call everybody"),
            (to(block("0.0.0.0/0")), "the network 0.0.0.0/0"),
            (to(block("10.0.0.0/8")), "the network 10.0.0.0/8"),
            (to(block("::/0")), "the network ::/0"),
            (to(block("1.1.1.1/32")), "on the internet"),
            (to(block("169.254.169.254/32")), "machines tell about themselves"),
            (to(block("nonsense")), "no address"),
            (to(place("cell-bob-y8", app="x")), "not the platform's"),
            (to(place("default", app="x")), "not the platform's"),
            (to(place("kube-system", app="x")), "not the platform's"),
            (to(place("clawstack")), "every pod of clawstack"),
            (to({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "x"}}}), "by a selector"),
            (to({"namespaceSelector": {"matchLabels": {"team": "x"}}}), "by a selector"),
            (to(place("clawstack", app="x"), ports=()), "every port"),
            (to(place("clawstack", app="x"), ports=[{"port": 1, "endPort": 65535}]), "a range"),
            (to(place("clawstack", app="x"), ports=[{"protocol": "TCP"}]), "every port"),
            (to(place("kube-system"), ports=[{"port": 53}]), "every pod of kube-system"),
        ],
    )
    def test_fail(self, egress: list[Object], words: str) -> None:
        assert words in judged(egress_to_platform(), rules(egress=egress))[0]

    def test_pass(self) -> None:
        assert judged(egress_to_platform(), rules(egress=to(block("192.168.7.20/32")))) == []
        assert judged(egress_to_platform(), rules(egress=to({"podSelector": {"matchLabels": {"app": "x"}}}))) == []

    def test_the_platform_is_where_the_configuration_says(self) -> None:
        config = {"platformNamespaces": ["platform"], "platformAddresses": ["8.8.4.4"]}
        assert (
            judged(egress_to_platform(), rules(egress=to(place("platform", app="x"), block("8.8.4.4/32"))), config)
            == []
        )
        assert judged(egress_to_platform(), rules(egress=to(place("clawstack", app="x"))), config)
        assert judged(egress_to_platform(), rules(egress=to(block("192.168.7.20/32"))), config)

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(egress_to_platform(), rules(egress=UNKNOWN))


class TestIngress:
    @pytest.mark.parametrize(
        ("callers", "words"),
        [
            (None, "everybody"),
            ([], "everybody"),
            ([block("0.0.0.0/0")], "the network"),
            ([block("x")], "no address"),
            ([{"namespaceSelector": {}}], "by a selector"),
            ([place("cell-bob-y8", app="x")], "the cell in cell-bob-y8"),
        ],
    )
    def test_fail(self, callers: Any, words: str) -> None:
        [report] = judged(ingress_from_platform(), rules(ingress=[{"from": callers}]))
        assert words in report

    def test_pass(self) -> None:
        assert judged(ingress_from_platform(), rules(ingress=[{"from": [block("10.0.0.4/32")]}])) == []

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(ingress_from_platform(), rules(ingress=UNKNOWN))


class TestDefaultDeny:
    def without_wall(self) -> list[Object]:
        return [entry for entry in everything() if entry["metadata"]["name"] != "default-deny"]

    def test_fail(self) -> None:
        [(report, urn)] = stack_judged(default_deny_present(), self.without_wall())
        assert NAMESPACE in report
        assert urn.endswith("kubernetes:core/v1:Namespace::" + NAMESPACE)

    @pytest.mark.parametrize(
        "change",
        [
            {"policyTypes": ["Ingress"]},
            {"egress": [{}]},
            {"ingress": [{}]},
            {"podSelector": {"matchLabels": {"app": "x"}}},
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        ],
    )
    def test_fail_when_it_denies_less_than_everything(self, change: Object) -> None:
        wall = shown("NetworkPolicy", "default-deny", lambda found: found["spec"].update(change))
        assert stack_judged(default_deny_present(), [*self.without_wall(), wall])

    def test_fail_when_it_stands_in_another_namespace(self) -> None:
        wall = shown("NetworkPolicy", "default-deny", lambda found: found["metadata"].update(namespace="cell-bob-y8"))
        assert stack_judged(default_deny_present(), [*self.without_wall(), wall])

    def test_pods_without_a_namespace_of_their_own_need_it_too(self) -> None:
        assert stack_judged(default_deny_present(), [pods()])

    def test_other_type(self) -> None:
        pet = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "cell-x"}}
        assert stack_judged(default_deny_present(), [pet]) == []

    def test_the_platforms_namespaces_are_its_own_business(self) -> None:
        plain = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clawstack"}}
        assert stack_judged(default_deny_present(), [plain], project="clawstack") == []

    def test_unknown(self) -> None:
        hidden = shown("NetworkPolicy", "default-deny", lambda found: found.update(spec=UNKNOWN))
        with pytest.raises(UnknownValueError):
            stack_judged(default_deny_present(), [*self.without_wall(), hidden])

    def test_an_exemption_frees_only_what_it_names(self) -> None:
        config = {"exemptions": [{"resource": f"::{NAMESPACE}", "reason": "migration until 2026-12-01"}]}
        assert stack_judged(default_deny_present(), self.without_wall(), config) == []
        other = {"exemptions": [{"resource": "::cell-other", "reason": "migration until 2026-12-01"}]}
        assert stack_judged(default_deny_present(), self.without_wall(), other)


class TestServices:
    @pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort", "ExternalName"])
    def test_fail(self, kind: str) -> None:
        [report] = judged(no_exposed_service(), shown("Service", change=lambda found: found["spec"].update(type=kind)))
        assert kind in report

    def test_fail_with_external_addresses(self) -> None:
        change = {"externalIPs": ["203.0.113.9"]}
        assert judged(no_exposed_service(), shown("Service", change=lambda found: found["spec"].update(change)))

    def test_pass_by_default(self) -> None:
        assert judged(no_exposed_service(), shown("Service", change=lambda found: found["spec"].pop("type"))) == []

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(no_exposed_service(), shown("Service", change=lambda found: found["spec"].update(type=UNKNOWN)))


class TestClusterScope:
    @pytest.mark.parametrize("kind", ["ClusterRole", "PersistentVolume", "PriorityClass", "CustomResourceDefinition"])
    def test_fail(self, kind: str) -> None:
        props = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": NAMESPACE}}
        assert "whole cluster" in judged(no_cluster_scope(), props)[0]

    @pytest.mark.parametrize(
        "type_",
        [
            "kubernetes:helm.sh/v3:Release",
            "kubernetes:yaml/v2:ConfigGroup",
            "kubernetes:core/v1:SecretList",
            "kubernetes:core/v1:NamespacePatch",
            "kubernetes:kustomize/v2:Directory",
        ],
    )
    def test_fail_for_what_brings_unseen_objects(self, type_: str) -> None:
        assert "cannot be judged" in judge(no_cluster_scope(), {"metadata": {"namespace": NAMESPACE}}, type_=type_)[0]

    def test_fail_without_a_namespace(self) -> None:
        props = shown("ConfigMap", change=lambda found: found["metadata"].pop("namespace"))
        assert "names no namespace" in judged(no_cluster_scope(), props)[0]

    def test_unknown(self) -> None:
        with pytest.raises(UnknownValueError):
            judged(
                no_cluster_scope(), shown("ConfigMap", change=lambda found: found["metadata"].update(namespace=UNKNOWN))
            )


class TestForeignNamespace:
    @pytest.mark.parametrize(
        ("props", "words"),
        [
            (shown("ConfigMap", change=lambda found: found["metadata"].update(namespace="cell-bob-y8")), "lies in"),
            (shown("Namespace", change=lambda found: found["metadata"].update(name="kube-system")), "is the namespace"),
            (
                shown(
                    "HTTPRoute",
                    change=lambda found: found["spec"]["rules"][0]["backendRefs"][0].update(namespace="cell-bob-y8"),
                ),
                "refers to the namespace cell-bob-y8",
            ),
            (
                shown(
                    "PersistentVolumeClaim",
                    change=lambda found: found["spec"].update(dataSourceRef={"name": "x", "namespace": "cell-bob-y8"}),
                ),
                "refers to the namespace cell-bob-y8",
            ),
            (
                shown("ConfigMap", change=lambda found: found.update(roleRef={"kind": "ClusterRole", "name": "admin"})),
                "the cluster's role admin",
            ),
            (
                shown("ConfigMap", change=lambda found: found.update(subjects=[{"namespace": "default"}])),
                "refers to the namespace default",
            ),
        ],
    )
    def test_fail(self, props: Object, words: str) -> None:
        [report] = judged(no_foreign_namespace(), props)
        assert words in report

    def test_what_programs_keep_in_their_configuration_is_no_reference(self) -> None:
        props = shown("ConfigMap", change=lambda found: found["data"].update(namespace="somewhere"))
        assert judged(no_foreign_namespace(), props) == []

    def test_unknown(self) -> None:
        props = shown("ConfigMap", change=lambda found: found["metadata"].update(namespace=UNKNOWN))
        with pytest.raises(UnknownValueError):
            judged(no_foreign_namespace(), props)


class TestPodSecurity:
    @pytest.mark.parametrize("mode", ["enforce", "warn", "audit"])
    @pytest.mark.parametrize("level", ["baseline", "privileged", None])
    def test_fail(self, mode: str, level: str | None) -> None:
        label = f"pod-security.kubernetes.io/{mode}"
        props = shown("Namespace", change=lambda found: found["metadata"]["labels"].update({label: level}))
        [report] = judged(pod_security_enforced(), props)
        assert f"does not {mode}" in report

    def test_unknown(self) -> None:
        props = shown("Namespace", change=lambda found: found["metadata"].update(labels=UNKNOWN))
        with pytest.raises(UnknownValueError):
            judged(pod_security_enforced(), props)


@pytest.mark.parametrize("make", POD_RULES)
def test_an_exemption_names_the_resource(make: Any) -> None:
    broken = pods(
        lambda pod: pod.update(
            hostNetwork=True,
            automountServiceAccountToken=True,
            containers=[{"name": "a", "image": "a", "securityContext": {"privileged": True}}],
        )
    )
    assert judged(make(), broken)
    config = {"exemptions": [{"resource": "StatefulSet::gateway", "reason": "migration until 2026-12-01"}]}
    assert judged(make(), broken, config) == []
