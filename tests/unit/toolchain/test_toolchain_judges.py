"""Schemas out of Kubernetes' own documents: closed, standalone, and where kubeconform looks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clawstack.errors import NeedsAttentionError
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.judges import pins
from toolchain.judges.running import missing, require
from toolchain.judges.schemas import file_name, of_api, of_crd

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
PORT = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


def api() -> dict[str, Any]:
    """A small API in the words of the large one."""
    spec = {
        "type": "object", "description": "prose", "required": ["size"],
        "properties": {
            "size": {"$ref": f"#/definitions/{QUANTITY}", "description": "prose"},
            "port": {"$ref": f"#/definitions/{PORT}"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "parts": {"type": "array", "items": {"$ref": "#/definitions/Part"}},
        },
    }  # fmt: skip
    thing = {
        "type": "object",
        "x-kubernetes-group-version-kind": [{"group": "toys", "version": "v1", "kind": "Thing"}],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {"$ref": f"#/definitions/{META}"}, "spec": {"$ref": "#/definitions/Spec"},
        },
    }  # fmt: skip
    several = [{"group": group, "version": "v1", "kind": "DeleteOptions"} for group in ("a", "b")]
    return {
        "definitions": {
            "Thing": thing, "Spec": spec, "Stray": {"type": "object", "properties": {"x": {}}},
            "Part": {"type": "object", "properties": {"inner": {"$ref": "#/definitions/Part"}}},
            "Options": {"type": "object", "x-kubernetes-group-version-kind": several},
            META: {"type": "object", "properties": {"name": {"type": "string"}}},
            QUANTITY: {"type": "string"}, PORT: {"type": "string", "format": "int-or-string"},
        }
    }  # fmt: skip


def crd() -> dict[str, Any]:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {"type": "string"}}}
    port = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    spec = {
        "type": "object",
        "properties": {"free": free, "port": port, "maybe": {"type": "string", "nullable": True}},
        "oneOf": [{"required": ["free"], "properties": {"free": {}}}, {"required": ["port"]}],
    }
    schema = {"type": "object", "required": ["spec"], "properties": {"metadata": {"type": "object"}, "spec": spec}}
    versions = [
        {"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}},
        {"name": "v1alpha1", "served": False, "schema": {"openAPIV3Schema": schema}},
    ]
    return {"spec": {"group": "toys.example.org", "names": {"kind": "Robot"}, "versions": versions}}


THING = {"apiVersion": "toys/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {"size": "1Gi"}}
ROBOT = {"apiVersion": "toys.example.org/v1", "kind": "Robot", "metadata": {"name": "x"}, "spec": {"port": 80}}


def judge(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(document)]


def test_one_file_for_each_kind_with_only_what_it_needs() -> None:
    [(file, schema)] = of_api(api())
    assert file == Path("toys/v1/thing.json")
    assert set(schema["definitions"]) == {META, "Spec", "Part", QUANTITY, PORT}
    assert "prose" not in str(schema)
    jsonschema.Draft4Validator.check_schema(schema)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"spec": {"size": 1, "port": "http"}},
        {"spec": {"size": "1", "port": 80, "labels": {"any": "x"}, "parts": [{"inner": {"inner": {}}}]}},
    ],
)
def test_what_the_api_takes_is_valid(change: dict[str, Any]) -> None:
    [(_, schema)] = of_api(api())
    assert judge(schema, {**THING, **change}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speck": {}}, "'speck' was unexpected"),
        ({"spec": {"size": "1", "prot": 80}}, "'prot' was unexpected"),
        ({"spec": {"size": "1", "parts": [{"inner": {"outer": 1}}]}}, "'outer' was unexpected"),
        ({"spec": {}}, "'size' is a required property"),
        ({"spec": {"size": "1", "labels": {"x": 1}}}, "1 is not of type 'string'"),
        ({"spec": {"size": "1", "port": 8.5}}, "8.5 is not of type 'string', 'integer'"),
        ({"kind": "Robot"}, "'Robot' is not one of ['Thing']"),
        ({"apiVersion": "v1"}, "'v1' is not one of ['toys/v1']"),
        ({"metadata": {"nam": "x"}}, "'nam' was unexpected"),
    ],
)
def test_what_the_api_refuses_is_not(change: dict[str, Any], words: str) -> None:
    [(_, schema)] = of_api(api())
    [complaint] = judge(schema, {**THING, **change})
    assert words in complaint


def test_a_custom_resource_is_judged_in_the_versions_that_are_served() -> None:
    [(file, schema)] = of_crd(crd(), api())
    assert file == Path("toys.example.org/v1/robot.json")
    assert judge(schema, ROBOT) == []
    assert judge(schema, {**ROBOT, "spec": {"free": {"a": "x", "b": 1}, "maybe": None}}) == []
    assert "'prot' was unexpected" in judge(schema, {**ROBOT, "spec": {"port": 1, "prot": 1}})[0]
    assert "'nam' was unexpected" in judge(schema, {**ROBOT, "metadata": {"nam": "x"}})[0]
    assert judge(schema, {**ROBOT, "spec": {"port": 8.5}})
    assert judge(schema, {**ROBOT, "spec": {}})


def test_the_core_group_lies_where_kubeconform_looks() -> None:
    assert file_name("", "v1", "Pod") == Path("v1/v1/pod.json")
    assert file_name("apps", "v1", "StatefulSet") == Path("apps/v1/statefulset.json")


@pytest.mark.parametrize("judge_", pins.JUDGES, ids=lambda judge_: judge_.name)
def test_the_pinned_version_is_that_of_the_module(judge_: pins.Judge) -> None:
    module = "/".join(judge_.package.split("/")[:3])
    text = (judge_.module / "go.mod").read_text()
    assert f"tool {judge_.package}" in text
    assert f"{module} v{judge_.version}" in text
    assert f"{module} v{judge_.version} h1:" in (judge_.module / "go.sum").read_text()


def test_what_is_missing_is_named_with_the_command(tmp_path: Path) -> None:
    around = Surroundings(
        cache=tmp_path, path=(), pulumi_home=tmp_path, interpreter=Path("/venv/bin/python"),
        downloads=Downloads.NEVER, root=False, machine="x86_64",
    )  # fmt: skip
    assert missing(around) == ["kubeconform", "kube-score", "schemas"]
    with pytest.raises(NeedsAttentionError, match="no kubeconform, kube-score, schemas") as caught:
        require(around)
    assert caught.value.remedy == "Run `/venv/bin/python -m toolchain setup judges`."
