"""The engine's side of the protocol: calls the plugin over gRPC, as the engine does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from clawstack.error_marks import marked_error, without_marks
from clawstack.errors import ClawstackError
from clawstack.plugin_server.serving import start
from clawstack.plugin_server.values import Secret, to_python, to_struct
from tests.integration.hcloud_plugin.standin import Hetzner
from tests.unit.hcloud_plugin.engine_calls import urn
from tests.waiting import patient
from toolchain.plugins.hcloud_provider.cloud.api import Patience
from toolchain.plugins.hcloud_provider.provider import HcloudProvider

Object = dict[str, Any]
HURRIED = Patience(first=0.02, longest=0.2, busy=2.0, limited=1.0)
LABELS = {"clawstack.dev/tenant": "anna", "app.kubernetes.io/managed-by": "clawstack"}


class Refused(Exception):  # noqa: N818 - reads as what it is
    """An error as the engine sees it."""

    def __init__(self, error: grpc.RpcError) -> None:
        text = error.details() or ""
        super().__init__(text)
        self.error: ClawstackError | None = marked_error(text)
        self.text = without_marks(text)
        self.partial = _partial(error)


def _partial(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed | None:
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            detail = provider_pb2.ErrorResourceInitFailed()
            assert status.details[0].Unpack(detail)
            return detail
    return None


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource in the engine's state."""

    kind: str
    id: str
    inputs: Object
    outputs: Object

    def inputs_told(self) -> Object:
        """The wish itself, without what the plugin keeps beside it."""
        return {name: value for name, value in self.inputs.items() if not name.startswith("__")}


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One plugin process, as the engine sees it."""

    stub: Any
    provider: HcloudProvider

    def check(self, kind: str, props: Object, before: Object | None = None) -> Object:
        request = provider_pb2.CheckRequest(urn=urn(kind), news=to_struct(props), olds=to_struct(before or {}))
        answer = self._call("Check", request)
        assert list(answer.failures) == []
        return to_python(answer.inputs)

    def create(self, kind: str, props: Object) -> Made:
        inputs = self.check(kind, props)
        request = provider_pb2.CreateRequest(urn=urn(kind), properties=to_struct(inputs))
        answer = self._call("Create", request)
        return Made(kind=kind, id=answer.id, inputs=inputs, outputs=to_python(answer.properties))

    def preview(self, kind: str, props: Object, made: Made | None = None) -> Object:
        if made is None:
            inputs = self.check(kind, props)
            create = provider_pb2.CreateRequest(urn=urn(kind), properties=to_struct(inputs), preview=True)
            return to_python(self._call("Create", create).properties)
        return to_python(self._call("Update", self._update(made, props, preview=True)).properties)

    def diff(self, made: Made, props: Object) -> Any:
        request = provider_pb2.DiffRequest(
            urn=urn(made.kind),
            id=made.id,
            old_inputs=to_struct(made.inputs),
            olds=to_struct(made.outputs),
            news=to_struct(self.check(made.kind, props, made.inputs)),
        )
        return self._call("Diff", request)

    def update(self, made: Made, props: Object) -> Made:
        request = self._update(made, props)
        answer = self._call("Update", request)
        return Made(kind=made.kind, id=made.id, inputs=to_python(request.news), outputs=to_python(answer.properties))

    def _update(self, made: Made, props: Object, *, preview: bool = False) -> provider_pb2.UpdateRequest:
        return provider_pb2.UpdateRequest(
            urn=urn(made.kind),
            id=made.id,
            old_inputs=to_struct(made.inputs),
            olds=to_struct(made.outputs),
            news=to_struct(self.check(made.kind, props, made.inputs)),
            preview=preview,
        )

    def refresh(self, made: Made) -> Made | None:
        request = provider_pb2.ReadRequest(
            urn=urn(made.kind), id=made.id, inputs=to_struct(made.inputs), properties=to_struct(made.outputs)
        )
        return self._seen(made.kind, self._call("Read", request))

    def adopt(self, kind: str, identity: str) -> Made | None:
        """As `pulumi import` does."""
        return self._seen(kind, self._call("Read", provider_pb2.ReadRequest(urn=urn(kind), id=identity)))

    @staticmethod
    def _seen(kind: str, answer: Any) -> Made | None:
        if not answer.id:
            return None
        return Made(kind=kind, id=answer.id, inputs=to_python(answer.inputs), outputs=to_python(answer.properties))

    def delete(self, made: Made) -> None:
        request = provider_pb2.DeleteRequest(
            urn=urn(made.kind), id=made.id, properties=to_struct(made.outputs), old_inputs=to_struct(made.inputs)
        )
        self._call("Delete", request)

    def invoke(self, function: str, **arguments: Any) -> Object:
        request = provider_pb2.InvokeRequest(tok=f"hcloud:index/{function}:{function}", args=to_struct(arguments))
        return to_python(getattr(self._call("Invoke", request), "return"))

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=60)
        except grpc.RpcError as error:
            raise Refused(error) from error


@contextmanager
def engine(hetzner: Hetzner, **config: Any) -> Iterator[Engine]:
    """A plugin that talks to the stand-in, hurried."""
    provider = HcloudProvider(version="1.43.3", patience=config.pop("patience", HURRIED))
    server, port = start(provider, threads=32)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            access = {"token": Secret(hetzner.token), "endpoint": hetzner.endpoint}
            settings = {**access, "pollInterval": "20ms", "pollFunction": "constant", **config}
            stub.Configure(provider_pb2.ConfigureRequest(args=to_struct(settings)), timeout=patient(20))
            yield Engine(stub=stub, provider=provider)
    finally:
        server.stop(0).wait(patient(10))
        provider.close()
