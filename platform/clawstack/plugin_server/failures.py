"""Turns the project's errors into gRPC errors whose text is the sentence a person should read.

gRPC codes do not survive the engine, only the text does. So the text ends in a mark that says what kind of error it is
and its code, `[needs_attention:gateway_refused_config]`; whoever reads the engine's output takes it off (`clawstack.error_marks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.error_marks import mark
from clawstack.errors import ClawstackError, InvalidInputError, NotFoundError, TemporaryError
from clawstack.plugin_server.secrecy import without_secrets


def status_of(error: ClawstackError) -> grpc.StatusCode:
    """The gRPC code nearest to the error's meaning."""
    match error:
        case TemporaryError():
            return grpc.StatusCode.UNAVAILABLE
        case InvalidInputError():
            return grpc.StatusCode.INVALID_ARGUMENT
        case NotFoundError():
            return grpc.StatusCode.NOT_FOUND
        case _:
            return grpc.StatusCode.UNKNOWN


class SentenceInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg] # generic in the stubs only
    """A `ClawstackError` raised by a handler reaches the engine as its sentence, without a traceback or secret inputs.

    Any other exception stays what it is for gRPC: a defect, logged with its traceback on stderr, which the engine
    shows to the person.
    """

    @override
    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                _speaking(handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                _speaking_stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
            )
        return handler


def _speaking(call: Callable[[Any, grpc.ServicerContext], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return _without_secrets(call(request, context), request)
        except ClawstackError as error:
            context.abort(status_of(error), without_secrets(mark(error), request))

    return answer


def _without_secrets(answer: Any, request: Any) -> Any:
    """A check's complaints without the secret values that they quote."""
    for failure in answer.failures if isinstance(answer, provider_pb2.CheckResponse) else ():
        failure.reason = without_secrets(failure.reason, request)
    return answer


def _speaking_stream(
    call: Callable[[Any, grpc.ServicerContext], Iterator[Any]],
) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from call(request, context)
        except ClawstackError as error:
            context.abort(status_of(error), without_secrets(mark(error), request))

    return answer
