"""The gRPC face of the plugin: turns the engine's calls into calls of a resource type's handler."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2
from typing_extensions import override

from clawstack.error_marks import mark
from clawstack.errors import InvalidInputError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.values import to_python, to_struct
from tenants.process_provider.account import AccountHandler
from tenants.process_provider.gateway import GatewayHandler
from tenants.process_provider.handler import (
    Handler,
    InputProblem,
    NotReadyError,
    Properties,
    Resource,
    Work,
    differences,
    keep_secret,
    known,
    with_unknown,
)
from tenants.process_provider.state_directory import StateDirectoryHandler

VERSION: Final = "0.1.0"
_KIND: Final = provider_pb2.PropertyDiff.Kind
_KINDS: Final = {
    ("add", False): _KIND.ADD,
    ("add", True): _KIND.ADD_REPLACE,
    ("delete", False): _KIND.DELETE,
    ("delete", True): _KIND.DELETE_REPLACE,
    ("update", False): _KIND.UPDATE,
    ("update", True): _KIND.UPDATE_REPLACE,
}


def default_handlers() -> dict[str, Handler]:
    """Every resource type of the plugin."""
    return {
        "clawstack:process:Account": AccountHandler(),
        "clawstack:process:StateDirectory": StateDirectoryHandler(),
        "clawstack:process:Gateway": GatewayHandler(),
    }


class ClawstackProvider(PlainProvider):
    """The plugin's servicer."""

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        super().__init__(version=VERSION)
        self._handlers = default_handlers() if handlers is None else handlers
        self._cancelled = threading.Event()

    @override
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        handler = self._handler(request.urn)
        news = to_python(request.news)
        missing = [InputProblem(property=name, reason="it is required") for name in sorted(handler.inputs - set(news))]
        surplus = [
            InputProblem(property=name, reason="there is no such input") for name in sorted(set(news) - handler.inputs)
        ]
        inputs = keep_secret(news, handler.secret_inputs)
        problems = missing or surplus or handler.check(known(inputs))
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs),
            failures=[provider_pb2.CheckFailure(property=item.property, reason=item.reason) for item in problems],
        )

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        handler = self._handler(request.urn)
        old, new = _old_inputs(request.old_inputs, request.olds, handler), to_python(request.news)
        found = differences(old, new, handler.inputs)
        replaces = sorted(set(found) & handler.replacing)
        drifted = {} if replaces else dict.fromkeys(handler.drift(request.id, known(old)), "update")
        found = {**drifted, **found}
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted(found),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces),
            detailedDiff={
                name: provider_pb2.PropertyDiff(kind=_KINDS[kind, name in replaces], inputDiff=True)
                for name, kind in found.items()
            },
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        handler = self._handler(request.urn)
        inputs = keep_secret(to_python(request.properties), handler.secret_inputs)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=to_struct(with_unknown(inputs, handler.computed)))
        try:
            made = handler.create(inputs, self._work(request.timeout))
        except NotReadyError as error:
            _abort_not_ready(context, error)
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.properties))

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        handler = self._handler(request.urn)
        properties = to_python(request.properties)
        if not properties:
            raise InvalidInputError(
                f"{request.id!r} cannot be imported: its inputs cannot be read from the machine.",
                remedy="Run `up`: creating a resource that exists adopts it.",
            )
        inputs = _old_inputs(request.inputs, request.properties, handler)
        seen = handler.read(request.id, inputs, properties)
        if seen is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=seen.id, inputs=to_struct(seen.inputs), properties=to_struct(seen.properties)
        )

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        handler = self._handler(request.urn)
        olds = to_python(request.olds)
        new = keep_secret(to_python(request.news), handler.secret_inputs)
        if request.preview:
            kept = {name: olds[name] for name in handler.computed if name in olds}
            return provider_pb2.UpdateResponse(properties=to_struct({**new, **kept}))
        try:
            made = handler.update(Resource(id=request.id, properties=olds), new, self._work(request.timeout))
        except NotReadyError as error:
            _abort_not_ready(context, error)
        return provider_pb2.UpdateResponse(properties=to_struct(made.properties))

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        handler = self._handler(request.urn)
        resource = Resource(id=request.id, properties=to_python(request.properties))
        handler.delete(resource, self._work(request.timeout))
        return empty_pb2.Empty()

    @override
    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._cancelled.set()
        return empty_pb2.Empty()

    def _work(self, seconds: float) -> Work:
        return Work(cancelled=self._cancelled, seconds=seconds or None)

    def _handler(self, urn: str) -> Handler:
        # urn:pulumi:<stack>::<project>::<parent types$...$type>::<name>
        type_token = urn.split("::")[2].rsplit("$", 1)[-1]
        try:
            return self._handlers[type_token]
        except KeyError:
            raise InvalidInputError(
                f"The clawstack plugin has no resource type {type_token!r}.",
                remedy=f"It has: {', '.join(sorted(self._handlers))}.",
            ) from None


def _old_inputs(inputs: Any, properties: Any, handler: Handler) -> Properties:
    """The inputs of the state; engines before 3.77 did not send them, and outputs hold them all."""
    given = to_python(inputs)
    return given or {name: value for name, value in to_python(properties).items() if name in handler.inputs}


def _abort_not_ready(context: grpc.ServicerContext, error: NotReadyError) -> NoReturn:
    """An error that carries the resource, so that the engine keeps it in the state."""
    said = mark(error.cause)  # the kind is the cause's: a gateway that crashes is not "temporarily unavailable"
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.resource.id, properties=to_struct(error.resource.properties), reasons=[said]
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=said, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, said)


__all__ = ["VERSION", "ClawstackProvider", "default_handlers"]
