"""Answers the engine for every kind alike: everything is made once, kept in state, and replaced when an input changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.values import UNKNOWN, Secret, has_unknown, reveal, to_python, to_struct
from toolchain.plugins.random_provider.kinds import KINDS, Kind


class RandomProvider(PlainProvider):
    """The `random` package, offline."""

    @override
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        kind = _kind(request.urn)
        news = _own(to_python(request.news))
        failures = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in _complaints(kind, news)]
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kind = _kind(request.urn)
        old = kind.completed(reveal(_own(to_python(request.old_inputs or request.olds))))
        new = kind.completed(reveal(_own(to_python(request.news))))
        ignored = set(request.ignoreChanges)
        changed = sorted(name for name in new if name not in ignored and old.get(name) != new[name])
        if not changed:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=changed,
            replaces=changed,
            detailedDiff={name: _property_diff(old.get(name), new[name]) for name in changed},
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        kind = _kind(request.urn)
        inputs = _own(to_python(request.properties))
        if request.preview:
            unknown = {name: Secret(UNKNOWN) if name in kind.secret else UNKNOWN for name in kind.computed}
            return provider_pb2.CreateResponse(properties=to_struct({**kind.completed(inputs), **unknown}))
        made = kind.make(kind.completed(reveal(inputs)))
        outputs = _marked(kind, {**kind.completed(inputs), **made.outputs})
        return provider_pb2.CreateResponse(id=made.id, properties=outputs)

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        if request.properties.fields:
            # There is nothing outside the state that could have changed.
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        kind = _kind(request.urn)
        found = _adopted(kind, request.id)
        inputs = {name: value for name, value in found.items() if name in kind.inputs and value is not None}
        return provider_pb2.ReadResponse(
            id=request.id, properties=_marked(kind, {**kind.completed(inputs), **found}), inputs=to_struct(inputs)
        )

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        # Diff never asks for one; the engine still may, with a targeted update of an older state.
        kind = _kind(request.urn)
        outputs = {**to_python(request.olds), **kind.completed(_own(to_python(request.news)))}
        kept = {name: to_python(request.olds).get(name) for name in kind.computed}
        return provider_pb2.UpdateResponse(properties=_marked(kind, {**outputs, **kept}))

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()


def _kind(urn: str) -> Kind:
    token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
    kind = KINDS.get(token)
    if kind is None:
        raise InvalidInputError(
            f"The offline random plugin has no resource {token}; it has {', '.join(sorted(KINDS))}.",
            remedy="Install the official plugin with `pulumi plugin install resource random`.",
        )
    return kind


def _own(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the engine and bridged providers keep for themselves."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def _complaints(kind: Kind, news: Mapping[str, Any]) -> list[tuple[str, str]]:
    allowed = ", ".join(sorted(kind.inputs))
    problems = [(name, f"{name} is not an input; allowed are {allowed}.") for name in news if name not in kind.inputs]
    problems += [(name, f"{name} is required.") for name in kind.required if news.get(name) is None]
    if problems or has_unknown({name: value for name, value in news.items() if name != "keepers"}):
        return problems
    complaint = kind.complaint(kind.completed(reveal(news)))
    return [complaint] if complaint else []


def _property_diff(old: Any, new: Any) -> provider_pb2.PropertyDiff:
    kinds = provider_pb2.PropertyDiff
    kind = kinds.ADD_REPLACE if old is None else kinds.DELETE_REPLACE if new is None else kinds.UPDATE_REPLACE
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def _marked(kind: Kind, outputs: Mapping[str, Any]) -> struct_pb2.Struct:
    """As a struct, with everything secret marked so."""
    secret = {name: Secret(reveal(outputs[name])) for name in kind.secret if outputs.get(name) is not None}
    return to_struct({**outputs, **secret})


def _adopted(kind: Kind, identity: str) -> dict[str, Any]:
    if kind.adopt is None:
        raise InvalidInputError("This kind of random resource cannot be imported.", remedy="Create a new one.")
    try:
        return kind.adopt(identity)
    except ValueError as error:
        raise InvalidInputError(
            f"The id given to import is not one of this kind ({error}).",
            remedy="See the resource's page in the Pulumi registry for its form.",
        ) from error
