"""A gRPC context for calling a servicer without a network, as the engine would."""

from __future__ import annotations

from typing import NoReturn
from unittest import mock

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2


class Aborted(Exception):  # noqa: N818 - reads as what happened
    """What a servicer's context raises on abort."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Context(mock.Mock):
    """The part of a gRPC context that the servicer uses."""

    def __init__(self) -> None:
        super().__init__(spec=grpc.ServicerContext)
        self.trailing: dict[str, bytes] = {}
        self.abort = self._abort
        self.set_trailing_metadata = lambda items: self.trailing.update(dict(items))

    def _abort(self, code: grpc.StatusCode, text: str) -> NoReturn:
        raise Aborted(code, text)

    def kept_resource(self) -> provider_pb2.ErrorResourceInitFailed:
        """The resource that the error carries for the state file."""
        status = status_pb2.Status.FromString(self.trailing["grpc-status-details-bin"])
        detail = provider_pb2.ErrorResourceInitFailed()
        assert status.details[0].Unpack(detail)
        return detail
