"""Receives the engine's events. The CLI waits until all were read before it ends, so none is late."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.automation import EngineEvent
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import events_pb2_grpc
from typing_extensions import override

from clawstack.logs import get_logger

log = get_logger(__name__)

OnEvent = Callable[[EngineEvent], None]

_END_SECONDS: Final = 5.0


class _Receiver(events_pb2_grpc.EventsServicer):
    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    @override
    def StreamEvents(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> empty_pb2.Empty:
        try:
            for request in request_iterator:
                self._receive(request.event)
        except grpc.RpcError:
            log.debug("event_stream_cut")  # the CLI was killed; what it did is in its state
        return empty_pb2.Empty()

    def _receive(self, text: str) -> None:
        try:
            event = EngineEvent.from_json(json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            log.warning("event_not_understood", error=type(error).__name__)  # a newer CLI: the rest still counts
            return
        self._on_event(event)


@contextmanager
def receiving(on_event: OnEvent) -> Iterator[str]:
    """Receive events inside the block; gives what `--event-log` takes. On leaving, the last one was handled."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2), options=_GRPC_CHANNEL_OPTIONS)
    events_pb2_grpc.add_EventsServicer_to_server(_Receiver(on_event), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        server.stop(_END_SECONDS).wait(_END_SECONDS)
