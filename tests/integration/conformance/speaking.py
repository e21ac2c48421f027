"""The engine's side of the protocol, as far as both kinds of plugins can be held to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2

from clawstack.error_marks import marked_error
from clawstack.errors import ClawstackError
from clawstack.plugin_server.values import to_python, to_struct
from services.cells.engine import official
from tests.waiting import patient

Object = dict[str, Any]
_DIFF = provider_pb2.DiffResponse


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a change of inputs means."""

    some: bool
    replaces: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One plugin process."""

    name: str
    stub: Any

    def urn(self, kind: str) -> str:
        return f"urn:pulumi:dev::compared::{self.name}:index/{kind[0].lower()}{kind[1:]}:{kind}::it"

    def configure(self, **config: Any) -> None:
        news = to_struct(config)
        answer = self._ask(
            "CheckConfig",
            provider_pb2.CheckRequest(urn=f"urn:pulumi:dev::compared::pulumi:providers:{self.name}::it", news=news),
        )
        assert not answer.failures
        self._ask(
            "Configure", provider_pb2.ConfigureRequest(args=answer.inputs, acceptSecrets=True, acceptResources=True)
        )

    def check(self, kind: str, wish: Object, before: Object | None = None) -> tuple[Object, list[str]]:
        """The inputs checked, and the reasons of refusal."""
        request = provider_pb2.CheckRequest(
            urn=self.urn(kind), news=to_struct(wish), olds=to_struct(before or {}), randomSeed=b"0" * 32
        )
        answer = self._ask("Check", request)
        return to_python(answer.inputs), [failure.reason for failure in answer.failures]

    def create(self, kind: str, wish: Object, *, preview: bool = False) -> tuple[str, Object, Object]:
        """The id, the inputs checked, the outputs."""
        inputs, refused = self.check(kind, wish)
        assert not refused
        request = provider_pb2.CreateRequest(urn=self.urn(kind), properties=to_struct(inputs), preview=preview)
        answer = self._ask("Create", request)
        return answer.id, inputs, to_python(answer.properties)

    def diff(self, kind: str, made: tuple[str, Object, Object], wish: Object) -> Difference:
        identity, inputs, outputs = made
        news, refused = self.check(kind, wish, inputs)
        assert not refused
        request = provider_pb2.DiffRequest(
            urn=self.urn(kind), id=identity, olds=to_struct(outputs), old_inputs=to_struct(inputs), news=to_struct(news)
        )
        answer = self._ask("Diff", request)
        return Difference(some=answer.changes == _DIFF.DIFF_SOME, replaces=frozenset(answer.replaces))

    def read(self, kind: str, made: tuple[str, Object, Object]) -> str:
        """The id, empty where it is gone."""
        identity, inputs, outputs = made
        request = provider_pb2.ReadRequest(
            urn=self.urn(kind), id=identity, properties=to_struct(outputs), inputs=to_struct(inputs)
        )
        return str(self._ask("Read", request).id)

    def delete(self, kind: str, made: tuple[str, Object, Object]) -> None:
        identity, inputs, outputs = made
        request = provider_pb2.DeleteRequest(
            urn=self.urn(kind), id=identity, properties=to_struct(outputs), old_inputs=to_struct(inputs)
        )
        self._ask("Delete", request)

    def _ask(self, method: str, request: Any) -> Any:
        return getattr(self.stub, method)(request, timeout=patient(60))


def meaning(error: grpc.RpcError) -> ClawstackError | None:
    """What the platform takes a refusal for: by its mark, else by its words."""
    text = error.details() or ""
    return marked_error(text) or official.meaning(text, text)
