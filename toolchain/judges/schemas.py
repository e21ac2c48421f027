"""Makes standalone, strict JSON schemas out of what Kubernetes publishes: its OpenAPI document, and definitions of CRDs.

Strict: an object with known properties takes no others, so that a misspelt field is an error, as it is for an API server
with strict field validation. Each schema carries the definitions that it needs and refers to nothing outside itself.
Pure functions; draft 4 of JSON schema, which kubeconform assumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

Schema = dict[str, Any]

_PREFIX: Final = "#/definitions/"
_KINDS: Final = "x-kubernetes-group-version-kind"
_EXTENSION: Final = "x-kubernetes-"
_METADATA: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
#: What the document calls a string and the API also takes as a number (`resource.Quantity`, `intstr.IntOrString`).
_LOOSE: Final[Mapping[str, Schema]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


def of_api(document: Mapping[str, Any]) -> Iterator[tuple[Path, Schema]]:
    """File name and schema of every kind in Kubernetes' OpenAPI document (version 2)."""
    definitions = {name: _strict(_LOOSE.get(name, found)) for name, found in document["definitions"].items()}
    for name, found in document["definitions"].items():
        kinds = found.get(_KINDS) or []
        if len(kinds) == 1:  # several: options and such, which belong to every group
            kind = kinds[0]
            top = _named(definitions[name], kind["group"], kind["version"], kind["kind"])
            yield file_name(kind["group"], kind["version"], kind["kind"]), _standalone(top, definitions)


def of_crd(crd: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[Path, Schema]]:
    """File name and schema of every served version of a custom resource; metadata are judged like any other's."""
    definitions = {name: _strict(_LOOSE.get(name, found)) for name, found in document["definitions"].items()}
    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
    for version in crd["spec"]["versions"]:
        if version["served"]:
            top = _named(_strict(version["schema"]["openAPIV3Schema"]), group, version["name"], kind)
            top["properties"]["metadata"] = {"$ref": _PREFIX + _METADATA}
            yield file_name(group, version["name"], kind), _standalone(top, definitions)


def file_name(group: str, version: str, kind: str) -> Path:
    """Where a kind's schema lies. kubeconform calls the group of the core API by its version."""
    return Path(PurePosixPath(group or version, version, f"{kind.lower()}.json"))


def _named(schema: Schema, group: str, version: str, kind: str) -> Schema:
    api_version = f"{group}/{version}" if group else version
    named = {"apiVersion": {"type": "string", "enum": [api_version]}, "kind": {"type": "string", "enum": [kind]}}
    required = sorted({*schema.get("required", []), *named})
    return {**schema, "properties": {**schema.get("properties", {}), **named}, "required": required}


def _standalone(top: Schema, definitions: Mapping[str, Schema]) -> Schema:
    needed: dict[str, Schema] = {}
    open_: list[Any] = [top]
    while open_:
        for name in _references(open_.pop()):
            if name not in needed:
                needed[name] = definitions[name]
                open_.append(definitions[name])
    return {"$schema": "http://json-schema.org/draft-04/schema#", **top, "definitions": dict(sorted(needed.items()))}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key == "$ref" and isinstance(member, str):
                yield member.removeprefix(_PREFIX)
            else:
                yield from _references(member)
    elif isinstance(value, list):
        for member in value:
            yield from _references(member)


def _strict(schema: Mapping[str, Any]) -> Schema:
    """The schema without prose and extensions, closed wherever its properties are known."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # draft 4 ignores whatever stands beside it
    closed = {key: value for key, value in schema.items() if not key.startswith(_EXTENSION) and key != "description"}
    for key in ("properties", "patternProperties"):
        if key in closed:
            closed[key] = {name: _strict(member) for name, member in closed[key].items()}
    for key in ("items", "not", "additionalProperties"):
        if isinstance(closed.get(key), Mapping):
            closed[key] = _strict(closed[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in closed:
            closed[key] = [_branch(member) for member in closed[key]]
    return _closed(_typed(closed, schema), schema)


def _branch(schema: Mapping[str, Any]) -> Schema:
    """One of several conditions on the same object: closing it would forbid what the others name."""
    return {key: value for key, value in schema.items() if not key.startswith(_EXTENSION) and key != "description"}


def _typed(schema: Schema, original: Mapping[str, Any]) -> Schema:
    if original.get("x-kubernetes-int-or-string") or original.get("format") == "int-or-string":
        schema = {key: value for key, value in schema.items() if key not in {"format", "anyOf"}}
        return {**schema, "type": ["string", "integer"]}
    if schema.pop("nullable", False) and isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return schema


def _closed(schema: Schema, original: Mapping[str, Any]) -> Schema:
    is_open = original.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("properties") and not is_open:
        return {**schema, "additionalProperties": False}
    return schema
