"""What reaches the engine beside answers: passing messages, and an object that is not finished."""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import any_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from clawstack.error_marks import mark
from clawstack.errors import ClawstackError
from clawstack.plugin_server.secrecy import secret_texts
from clawstack.secret_forms import redactor_of

_LOG_SECONDS = 2.0


class EngineLog:
    """The engine's log, for messages that pass away. A log that cannot be reached is nobody's trouble."""

    def __init__(self, address: str = "") -> None:
        """`address`: host and port of the engine, empty where there is none."""
        self._address = address
        self._lock = threading.Lock()
        self._stub: Any = None
        self._channel: grpc.Channel | None = None

    def find(self, address: str) -> None:
        """The engine said where it is."""
        self._address = self._address or address

    def teller(self, urn: str) -> Callable[[str], None]:
        """Shows messages beside the resource; the same twice only once."""
        last = ""

        def tell(message: str) -> None:
            nonlocal last
            if self._address and message != last:
                last = message
                self._send(urn, message)

        return tell

    def _send(self, urn: str, message: str) -> None:
        # Needed only once something takes time, so it is no part of the start.
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        with self._lock:
            if self._channel is None:
                self._channel = grpc.insecure_channel(self._address)
                self._stub = engine_pb2_grpc.EngineStub(self._channel)
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn, ephemeral=True)
        try:
            self._stub.Log(request, timeout=_LOG_SECONDS)
        except grpc.RpcError:
            self._address = ""

    def close(self) -> None:
        """Let the engine go."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


class _Status(namedtuple("_Status", ("code", "details", "trailing_metadata")), grpc.Status):  # noqa: PYI024
    """What `abort_with_status` wants."""


def abort_unfinished(
    context: grpc.ServicerContext,
    error: Exception,
    identity: str,
    *,
    properties: struct_pb2.Struct,
    inputs: struct_pb2.Struct,
) -> None:
    """End a Create with an error that leaves the object in the state, to be finished by the next update.

    Source: `ErrorResourceInitFailed` in Pulumi's provider protocol.
    """
    told = mark(error) if isinstance(error, ClawstackError) else str(error)
    sentence = redactor_of(secret_texts(inputs)).text(told)
    detail = provider_pb2.ErrorResourceInitFailed(id=identity, properties=properties, inputs=inputs, reasons=[sentence])
    packed = any_pb2.Any()
    packed.Pack(detail)
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=sentence, details=[packed])
    context.abort_with_status(_Status(code, sentence, (("grpc-status-details-bin", status.SerializeToString()),)))
