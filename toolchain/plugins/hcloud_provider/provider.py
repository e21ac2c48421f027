"""Answers the engine for every kind alike."""

from __future__ import annotations

import threading
import traceback
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import ClawstackError, InvalidInputError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.values import Secret, has_unknown, reveal, to_python, to_struct
from toolchain.plugins.hcloud_provider import config, converging, functions, wishes
from toolchain.plugins.hcloud_provider.cloud.api import Api, Patience
from toolchain.plugins.hcloud_provider.cloud.session import Session, Unfinished
from toolchain.plugins.hcloud_provider.cloud.waiting import Watch
from toolchain.plugins.hcloud_provider.model.changes import adopted, differing, outputs, still_shown
from toolchain.plugins.hcloud_provider.model.checking import complaints
from toolchain.plugins.hcloud_provider.registry import resource_of
from toolchain.plugins.hcloud_provider.telling import EngineLog, abort_unfinished

Values = dict[str, Any]

_UNFINISHED: Final = "__unfinished"
_KIND: Final = provider_pb2.PropertyDiff
_NONE: Final = provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)


class HcloudProvider(PlainProvider):
    """The `hcloud` package, offline."""

    def __init__(self, *, version: str, engine: str = "", patience: Patience | None = None) -> None:
        """`engine`: where the engine's log is; `patience` with a busy API, the usual one where None."""
        super().__init__(version=version)
        self._stop = threading.Event()
        self._log = EngineLog(engine)
        self._patience = patience
        self._api: Api | None = None
        self._watch: Watch | None = None
        self._known: set[tuple[str, str]] = set()
        """Token and id of what this stack's state holds, as far as the engine has spoken of it."""

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stop.set()

    def close(self) -> None:
        """Close connections."""
        if self._api is not None:
            self._api.close()
        self._log.close()

    @override
    def Handshake(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ProviderHandshakeResponse:
        self._log.find(request.engine_address)
        return super().Handshake(request, context)

    @override
    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.stop()
        return empty_pb2.Empty()

    @override
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = to_python(request.news)
        failures = [_failure(name, reason) for name, reason in config.complaints(reveal(news))]
        if news.get("token") is not None:
            news["token"] = Secret(reveal(news["token"]))
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    @override
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old = reveal(to_python(request.old_inputs or request.olds))
        new = reveal(to_python(request.news))
        changed = sorted(name for name in config.NAMES if old.get(name) != new.get(name))
        if not changed:
            return _NONE
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_SOME, diffs=changed)

    @override
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        given = reveal(to_python(request.args))
        if not has_unknown({name: given.get(name) for name in config.NAMES}):
            self._api = Api(config.access(given), self._stop, patience=self._patience)
            self._watch = Watch(self._api, config.polling(given))
        return super().Configure(request, context)

    @override
    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        arguments = reveal(to_python(request.args))
        answer = functions.invoke(self._session(""), request.tok, arguments)
        known = {name: value for name, value in answer.items() if value is not None}
        # `return` is a word of Python's own.
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(known))
        return response

    @override
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        resource = resource_of(request.urn)
        before, given = to_python(request.olds), to_python(request.news)
        wish, defaulted = wishes.completed(resource, given, before, request)
        failures = [*complaints(resource.fields, wish)]
        failures += [] if failures else resource.complaints(reveal(wish), reveal(wishes.own(before)))
        inputs = {name: value for name, value in wish.items() if value is not None}
        if defaulted:
            inputs[wishes.DEFAULTS] = defaulted
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs), failures=[_failure(name, reason) for name, reason in failures]
        )

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        resource = resource_of(request.urn)
        self._known.add((resource.type_name, request.id))
        old, new = wishes.before(resource, request), to_python(request.news)
        ignored = {path.split(".")[0].split("[")[0] for path in request.ignoreChanges}
        changed = sorted(differing(resource.fields, old, new) - ignored)
        if not changed:
            return _NONE
        replaces = [name for name in changed if resource.fields[name].replaces]
        detailed = {name: _property_diff(old.get(name), new.get(name), replaces=name in replaces) for name in changed}
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and (resource.one_at_a_time or wishes.keeps_name(old, new)),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        resource = resource_of(request.urn)
        wish = wishes.own(to_python(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(wishes.foreseen(resource, wish, {})))
        plain = wishes.plain(resource, wish)
        session = self._session(request.urn)
        known = {identity for token, identity in self._known if token == resource.type_name}
        live: Values = {}
        try:
            identity = resource.create(session, plain, known)
        except Unfinished as unfinished:
            self._abort(context, request, unfinished.cause, unfinished.identity, live)
            raise
        self._known.add((resource.type_name, identity))
        try:
            live = converging.read(resource, session, identity, plain)
            live = converging.finished(resource, session, identity, plain, live)
        except Exception as error:
            self._abort(context, request, error, identity, live)
            raise
        return provider_pb2.CreateResponse(id=identity, properties=to_struct(outputs(resource.fields, wish, live)))

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        resource = resource_of(request.urn)
        self._known.add((resource.type_name, request.id))
        inputs = to_python(request.inputs)
        wish = wishes.own(inputs)
        found = resource.read(
            self._session(request.urn), request.id, reveal(wish or wishes.inputs_of(resource, request))
        )
        if found is None:
            return provider_pb2.ReadResponse()
        identity, live = found
        self._known.add((resource.type_name, identity))
        shown = still_shown(resource.fields, wish, live) if wish else adopted(resource.fields, live)
        if wishes.DEFAULTS in inputs:
            shown[wishes.DEFAULTS] = inputs[wishes.DEFAULTS]
        properties = outputs(resource.fields, wish, live)
        return provider_pb2.ReadResponse(id=identity, properties=to_struct(properties), inputs=to_struct(shown))

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        resource = resource_of(request.urn)
        wish, olds = wishes.own(to_python(request.news)), to_python(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(wishes.foreseen(resource, wish, wishes.own(olds))))
        plain = wishes.plain(resource, wish)
        session = self._session(request.urn)
        before = reveal(wishes.before(resource, request))
        changed = set(resource.fields) if olds.get(_UNFINISHED) else set(differing(resource.fields, before, plain))
        live = converging.read(resource, session, request.id, plain)
        live = converging.changed(resource, session, request.id, plain, live, changed)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs(resource.fields, wish, live)))

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        resource = resource_of(request.urn)
        resource.delete(self._session(request.urn), request.id, reveal(wishes.own(to_python(request.properties))))
        self._known.discard((resource.type_name, request.id))
        return empty_pb2.Empty()

    def _session(self, urn: str) -> Session:
        if self._api is None or self._watch is None:
            raise InvalidInputError(
                "The provider's configuration is not known yet.", remedy="Create what it depends on first."
            )
        return Session(api=self._api, watch=self._watch, tell=self._log.teller(urn))

    @staticmethod
    def _abort(
        context: grpc.ServicerContext,
        request: provider_pb2.CreateRequest,
        error: Exception,
        identity: str,
        live: Values,
    ) -> None:
        """End the call with an error that leaves the object in the state; the inputs stay as they came."""
        if not isinstance(error, ClawstackError):
            traceback.print_exception(error)
        told = outputs(resource_of(request.urn).fields, wishes.own(to_python(request.properties)), live)
        properties = to_struct({**told, _UNFINISHED: True})
        abort_unfinished(context, error, identity, properties=properties, inputs=request.properties)


def _property_diff(old: Any, new: Any, *, replaces: bool) -> provider_pb2.PropertyDiff:
    if replaces:
        kind = _KIND.ADD_REPLACE if old is None else _KIND.DELETE_REPLACE if new is None else _KIND.UPDATE_REPLACE
    else:
        kind = _KIND.ADD if old is None else _KIND.DELETE if new is None else _KIND.UPDATE
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def _failure(name: str, reason: str) -> provider_pb2.CheckFailure:
    return provider_pb2.CheckFailure(property=name, reason=reason)
