"""What the offline kubernetes plugin checks and compares, without a server."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import UNKNOWN, Secret, reveal, to_python, to_struct
from tests.unit.namespace.builders import plan_of
from toolchain.plugins.kubernetes_provider.changes import adopted, changes, still_shown
from toolchain.plugins.kubernetes_provider.provider import KubernetesProvider

CONTEXT: grpc.ServicerContext = None  # type: ignore[assignment] # no handler of this provider uses it
NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
Object = dict[str, Any]


def provider(**config: Any) -> KubernetesProvider:
    made = KubernetesProvider(version="4.34.2")
    request = provider_pb2.ConfigureRequest(args=to_struct({"kubeconfig": UNKNOWN, **config}))
    made.Configure(request, CONTEXT)
    return made


def urn(kind: str, name: str = "It") -> str:
    return f"urn:pulumi:dev::project::custom:Component$kubernetes:{kind}::{name}"


def check(kind: str, news: Object, olds: Object | None = None, **config: Any) -> tuple[Object, list[str]]:
    request = provider_pb2.CheckRequest(urn=urn(kind), news=to_struct(news), olds=to_struct(olds or {}))
    answer = provider(**config).Check(request, CONTEXT)
    return to_python(answer.inputs), [failure.property for failure in answer.failures]


def diff(kind: str, old: Object, new: Object, /, *, ignore: tuple[str, ...] = (), config: Object | None = None) -> Any:
    request = provider_pb2.DiffRequest(
        urn=urn(kind), old_inputs=to_struct(old), news=to_struct(new), ignoreChanges=ignore
    )
    return provider(**(config or {})).Diff(request, CONTEXT)


def object_(kind: str = "StatefulSet", **content: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a", "namespace": "n"}, **content}


class TestCheck:
    def test_everything_the_product_renders_is_accepted_as_it_is(self) -> None:
        groups = {"v1": "core/v1"}
        for props in plan_of().documents():
            kind = f"{groups.get(props['apiVersion'], props['apiVersion'])}:{props['kind']}"
            assert check(kind, props) == (props, [])

    def test_a_missing_name_is_drawn_and_kept(self) -> None:
        drawn, _ = check("core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})
        name = drawn["metadata"]["name"]
        assert name.startswith("it-")
        assert len(name) == len("it-") + 8
        assert drawn["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
        kept, _ = check("core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap"}, drawn)
        assert kept["metadata"]["name"] == name
        other, _ = check("core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap"})
        assert other["metadata"]["name"] != name

    def test_a_name_that_was_given_is_not_kept_when_it_is_given_no_more(self) -> None:
        given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
        drawn, _ = check("core/v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap"}, given)
        assert drawn["metadata"]["name"] != "mine"

    def test_a_long_resource_name_still_makes_a_valid_object_name(self) -> None:
        request = provider_pb2.CheckRequest(
            urn=urn("core/v1:Service", "x" * 100), news=to_struct({"apiVersion": "v1", "kind": "Service"})
        )
        answer = to_python(provider().Check(request, CONTEXT).inputs)
        assert len(answer["metadata"]["name"]) <= 63

    def test_the_namespace_is_the_providers_or_default_and_none_for_the_clusters_kinds(self) -> None:
        thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        assert check("core/v1:ConfigMap", thing)[0]["metadata"]["namespace"] == "default"
        assert check("core/v1:ConfigMap", thing, namespace="cells")[0]["metadata"]["namespace"] == "cells"
        named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
        assert "namespace" not in check("core/v1:Namespace", named)[0]["metadata"]

    def test_unknowns_and_secrets_pass_through(self) -> None:
        thing = {"apiVersion": "v1", "kind": "Secret", "metadata": UNKNOWN, "data": Secret({"a": "b"})}
        assert check("core/v1:Secret", thing)[0] == thing

    def test_what_no_object_can_be_without_is_named(self) -> None:
        assert check("core/v1:ConfigMap", {"metadata": {"name": "a"}})[1] == ["apiVersion", "kind"]

    def test_a_kind_it_does_not_have_is_refused_with_the_remedy(self) -> None:
        with pytest.raises(InvalidInputError, match=r"no resource kubernetes:helm.sh/v3:Release") as refused:
            check("helm.sh/v3:Release", {})
        assert "pulumi plugin install resource kubernetes" in str(refused.value.remedy)


class TestDiff:
    def test_the_same_is_the_same_whether_secret_or_not(self) -> None:
        old = object_(data={"a": "b"})
        assert diff("core/v1:Secret", old, object_(data=Secret({"a": "b"}))).changes == NONE

    @pytest.mark.parametrize(
        ("kind", "old", "new", "replaces"),
        [
            ("apps/v1:StatefulSet", {"spec": {"replicas": 1}}, {"spec": {"replicas": 0}}, False),
            ("apps/v1:StatefulSet", {"spec": {"template": {"a": 1}}}, {"spec": {"template": {"a": 2}}}, False),
            ("apps/v1:StatefulSet", {"spec": {"serviceName": "a"}}, {"spec": {"serviceName": "b"}}, True),
            ("apps/v1:StatefulSet", {"spec": {"selector": {"a": "b"}}}, {"spec": {"selector": {"a": "c"}}}, True),
            (
                "core/v1:PersistentVolumeClaim",
                {"spec": {"resources": {"requests": {"storage": "1Gi"}}}},
                {"spec": {"resources": {"requests": {"storage": "2Gi"}}}},
                False,
            ),
            ("core/v1:PersistentVolumeClaim", {"spec": {"accessModes": ["a"]}}, {"spec": {"accessModes": ["b"]}}, True),
            ("core/v1:PersistentVolumeClaim", {"spec": {}}, {"spec": {"storageClassName": "b"}}, True),
            ("core/v1:Service", {"spec": {"ports": [{"port": 1}]}}, {"spec": {"ports": [{"port": 2}]}}, False),
            ("core/v1:Service", {"spec": {"clusterIP": "None"}}, {"spec": {}}, True),
            ("networking.k8s.io/v1:NetworkPolicy", {"spec": {"egress": []}}, {"spec": {"egress": [{}]}}, False),
            ("core/v1:Secret", {"type": "Opaque"}, {"type": "kubernetes.io/tls"}, True),
            ("rbac.authorization.k8s.io/v1:RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}, True),
            ("batch/v1:Job", {"spec": {"template": {"a": 1}}}, {"spec": {"template": {"a": 2}}}, True),
            ("core/v1:ConfigMap", {"apiVersion": "v1"}, {"apiVersion": "other.io/v1"}, True),
        ],
    )
    def test_what_the_server_refuses_to_change_is_replaced(
        self, kind: str, old: Object, new: Object, replaces: bool
    ) -> None:
        answer = diff(kind, object_(**old), object_(**new))
        assert answer.changes == SOME
        assert bool(answer.replaces) is replaces
        assert answer.deleteBeforeReplace is replaces, "the name stays, so the old object must go first"

    @pytest.mark.parametrize("field", ["name", "namespace"])
    def test_another_place_is_another_object_and_the_old_one_may_wait(self, field: str) -> None:
        moved = object_()
        moved["metadata"] = {**moved["metadata"], field: "other"}
        answer = diff("apps/v1:StatefulSet", object_(), moved)
        assert list(answer.replaces) == [f"metadata.{field}"]
        assert not answer.deleteBeforeReplace

    def test_an_automatic_name_is_drawn_anew_so_nothing_goes_first(self) -> None:
        auto = {"name": "a", "namespace": "n", "annotations": {"pulumi.com/autonamed": "true"}}
        old, new = object_(spec={"serviceName": "a"}), object_(spec={"serviceName": "b"})
        answer = diff("apps/v1:StatefulSet", {**old, "metadata": auto}, {**new, "metadata": auto})
        assert answer.replaces
        assert not answer.deleteBeforeReplace

    @pytest.mark.parametrize(
        ("kind", "flag"), [("core/v1:Secret", "enableSecretMutable"), ("core/v1:ConfigMap", "enableConfigMapMutable")]
    )
    def test_content_is_replaced_unless_the_provider_is_told_that_it_may_change(self, kind: str, flag: str) -> None:
        old, new = object_(data={"a": "1"}), object_(data={"a": "2"})
        assert list(diff(kind, old, new).replaces) == ["data.a"]
        assert list(diff(kind, old, new, config={flag: "true"}).replaces) == []
        fixed = {**old, "immutable": True}
        assert list(diff(kind, fixed, {**new, "immutable": True}, config={flag: "true"}).replaces) == ["data.a"]

    def test_paths_tell_what_is_added_changed_and_gone(self) -> None:
        old = object_(spec={"template": {"containers": [{"image": "a", "tty": True}]}})
        new = object_(spec={"template": {"containers": [{"image": "b", "stdin": True}, {"image": "c"}]}})
        detailed = {path: change.kind for path, change in diff("apps/v1:StatefulSet", old, new).detailedDiff.items()}
        kinds = provider_pb2.PropertyDiff
        assert detailed == {
            "spec.template.containers[0].image": kinds.UPDATE,
            "spec.template.containers[0].tty": kinds.DELETE,
            "spec.template.containers[0].stdin": kinds.ADD,
            "spec.template.containers[1]": kinds.ADD,
        }

    def test_an_unknown_is_a_change_unless_ignored(self) -> None:
        old, new = object_(spec={"replicas": 1}), object_(spec={"replicas": UNKNOWN})
        assert diff("apps/v1:StatefulSet", old, new).changes == SOME
        assert diff("apps/v1:StatefulSet", new, new).changes == SOME
        assert diff("apps/v1:StatefulSet", old, new, ignore=("spec.replicas",)).changes == NONE

    def test_nulls_are_nothing(self) -> None:
        assert diff("apps/v1:StatefulSet", object_(spec={"a": None}), object_(spec={})).changes == NONE


class TestDiffConfig:
    def answer(self, old: Object, new: Object) -> Any:
        request = provider_pb2.DiffRequest(old_inputs=to_struct(old), news=to_struct(new))
        return provider().DiffConfig(request, CONTEXT)

    def config(self, server: str, token: str = "a", **more: Any) -> Object:
        return {"kubeconfig": Secret(kubeconfig(server, token)), **more}

    def test_a_new_certificate_of_the_same_cluster_replaces_nothing(self) -> None:
        old, new = self.config("https://a"), self.config("https://a", "b")
        assert self.answer(old, old).changes == NONE
        assert list(self.answer(old, new).replaces) == []
        assert self.answer(old, new).changes == SOME

    def test_another_cluster_replaces_everything(self) -> None:
        assert list(self.answer(self.config("https://a"), self.config("https://b")).replaces) == ["kubeconfig"]

    def test_an_identifier_has_the_last_word(self) -> None:
        one, two = {"clusterIdentifier": "one"}, {"clusterIdentifier": "two"}
        moved = self.answer(self.config("https://a", **one), self.config("https://b", **one))
        assert list(moved.replaces) == []
        other = self.answer(self.config("https://a", **one), self.config("https://a", **two))
        assert list(other.replaces) == ["clusterIdentifier"]


def kubeconfig(server: str, token: str) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
    )


class TestStillShown:
    @pytest.mark.parametrize(
        ("wish", "live"),
        [("2048Mi", "2Gi"), ("1000m", "1"), ("0.5", "500m"), ("1500M", "1.5G"), (1, "1"), ("2", 2)],
    )
    def test_a_quantity_written_another_way_is_the_same(self, wish: Any, live: Any) -> None:
        assert still_shown({"a": {"b": wish}}, {"a": {"b": live}}) == {"a": {"b": wish}}

    @pytest.mark.parametrize(("wish", "live"), [("2048Mi", "2G"), ("1", "1m"), ("a", "b"), (True, "1"), ("", "x")])
    def test_what_differs_is_shown(self, wish: Any, live: Any) -> None:
        assert still_shown({"a": wish}, {"a": live}) == {"a": live}

    def test_what_the_server_leaves_out_because_it_is_empty_is_no_drift(self) -> None:
        wish = {"a": {}, "b": [], "c": False, "d": 0, "e": ""}
        assert still_shown(wish, {}) == wish

    def test_what_the_server_adds_is_no_drift_and_what_is_gone_is(self) -> None:
        wish = {"spec": {"containers": [{"name": "a", "image": "i"}], "gone": "x"}}
        live = {"spec": {"containers": [{"name": "a", "image": "i", "default": 1}], "status": 2}}
        assert still_shown(wish, live) == {"spec": {"containers": [{"name": "a", "image": "i"}]}}

    def test_list_members_that_somebody_added_or_removed_are_drift(self) -> None:
        assert still_shown({"a": [1, 2]}, {"a": [1]}) == {"a": [1]}
        assert still_shown({"a": [{"x": 1}]}, {"a": [{"x": 1}, {"x": 2}]}) == {"a": [{"x": 1}, {"x": 2}]}

    def test_secrets_stay_marked(self) -> None:
        shown = still_shown({"data": Secret({"a": "1"})}, {"data": {"a": "2", "b": "3"}})
        assert isinstance(shown["data"], Secret)
        assert reveal(shown) == {"data": {"a": "2"}}


def test_an_adopted_wish_leaves_out_what_the_server_added() -> None:
    live = {"kind": "A", "metadata": {"name": "a", "uid": "u", "managedFields": []}, "status": {}, "spec": {"a": 1}}
    assert adopted(live) == {"kind": "A", "metadata": {"name": "a"}, "spec": {"a": 1}}


def test_changes_of_equal_values_are_none() -> None:
    assert list(changes({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]})) == []
