"""Answers the engine for every kind alike."""

from __future__ import annotations

import hashlib
import threading
import traceback
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import ClawstackError, InvalidInputError, NotFoundError, TemporaryError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.values import UNKNOWN, Secret, has_secret, has_unknown, reveal, to_python, to_struct
from toolchain.plugins.hcloud_provider import config, functions
from toolchain.plugins.hcloud_provider.api import Api, Patience
from toolchain.plugins.hcloud_provider.changes import adopted, differing, outputs, still_shown
from toolchain.plugins.hcloud_provider.checking import complaints, converted, with_defaults
from toolchain.plugins.hcloud_provider.registry import resource_of
from toolchain.plugins.hcloud_provider.resource import Resource, Unfinished
from toolchain.plugins.hcloud_provider.session import Session
from toolchain.plugins.hcloud_provider.shapes import Field, empty
from toolchain.plugins.hcloud_provider.telling import EngineLog, abort_unfinished
from toolchain.plugins.hcloud_provider.waiting import Watch

Values = dict[str, Any]

_DEFAULTS: Final = "__defaults"
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
        wish, defaulted = _completed(resource, given, before, request)
        failures = [*complaints(resource.fields, wish)]
        failures += [] if failures else resource.complaints(reveal(wish), reveal(_own(before)))
        inputs = {name: value for name, value in wish.items() if value is not None}
        if defaulted:
            inputs[_DEFAULTS] = defaulted
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs), failures=[_failure(name, reason) for name, reason in failures]
        )

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        resource = resource_of(request.urn)
        self._known.add((resource.type_name, request.id))
        old, new = _before(resource, request), to_python(request.news)
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
            deleteBeforeReplace=bool(replaces) and (resource.one_at_a_time or _keeps_name(old, new)),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        resource = resource_of(request.urn)
        wish = _own(to_python(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(_foreseen(resource, wish, {})))
        plain = _plain(resource, wish)
        session = self._session(request.urn)
        known = {identity for token, identity in self._known if token == resource.type_name}
        live: Values = {}
        try:
            identity = resource.create(session, plain, known)
        except Unfinished as unfinished:
            self._abort(context, resource, unfinished.cause, unfinished.identity, wish=wish, live=live)
            raise
        self._known.add((resource.type_name, identity))
        try:
            live = _read(resource, session, identity, plain)
            live = _finished(resource, session, identity, plain, live)
        except Exception as error:
            self._abort(context, resource, error, identity, wish=wish, live=live)
            raise
        return provider_pb2.CreateResponse(id=identity, properties=to_struct(outputs(resource.fields, wish, live)))

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        resource = resource_of(request.urn)
        self._known.add((resource.type_name, request.id))
        inputs = to_python(request.inputs)
        wish = _own(inputs)
        found = resource.read(self._session(request.urn), request.id, reveal(wish or _inputs_of(resource, request)))
        if found is None:
            return provider_pb2.ReadResponse()
        identity, live = found
        self._known.add((resource.type_name, identity))
        shown = still_shown(resource.fields, wish, live) if wish else adopted(resource.fields, live)
        if _DEFAULTS in inputs:
            shown[_DEFAULTS] = inputs[_DEFAULTS]
        properties = outputs(resource.fields, wish, live)
        return provider_pb2.ReadResponse(id=identity, properties=to_struct(properties), inputs=to_struct(shown))

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        resource = resource_of(request.urn)
        wish, olds = _own(to_python(request.news)), to_python(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(_foreseen(resource, wish, _own(olds))))
        plain = _plain(resource, wish)
        session = self._session(request.urn)
        before = reveal(_before(resource, request))
        changed = set(resource.fields) if olds.get(_UNFINISHED) else set(differing(resource.fields, before, plain))
        live = _read(resource, session, request.id, plain)
        live = _changed(resource, session, request.id, plain, live, changed)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs(resource.fields, wish, live)))

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        resource = resource_of(request.urn)
        resource.delete(self._session(request.urn), request.id, reveal(_own(to_python(request.properties))))
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
        resource: Resource,
        error: Exception,
        identity: str,
        *,
        wish: Values,
        live: Values,
    ) -> None:
        if not isinstance(error, ClawstackError):
            traceback.print_exception(error)
        properties = {**outputs(resource.fields, wish, live), _UNFINISHED: True}
        abort_unfinished(context, error, identity, properties=to_struct(properties), inputs=to_struct(wish))


def _completed(
    resource: Resource, given: Values, before: Values, request: provider_pb2.CheckRequest
) -> tuple[Values, list[str]]:
    """The wish in its shapes, with defaults and a name, and which of it was nobody's wish."""
    wish = {name: _shaped(resource.fields.get(name), value) for name, value in _own(given).items()}
    defaults = {name: field.default for name, field in resource.fields.items() if field.default is not None}
    defaulted = [name for name in defaults if wish.get(name) is None]
    wish |= {name: defaults[name] for name in defaulted}
    if resource.autonamed and wish.get("name") is None:
        # As the official provider: the logical name and seven random digits, kept as long as the resource lives.
        kept = before.get("name") if "name" in (before.get(_DEFAULTS) or []) else None
        digits = hashlib.sha256(request.randomSeed or request.urn.encode()).hexdigest()[:7]
        wish["name"] = kept or f"{request.urn.rpartition('::')[2]}-{digits}"
        defaulted.append("name")
    return wish, sorted(defaulted)


def _shaped(field: Field | None, value: Any) -> Any:
    return value if field is None else with_defaults(field.shape, converted(field.shape, value))


def _own(inputs: Mapping[str, Any]) -> Values:
    """Without what the engine and providers keep for themselves."""
    return {name: value for name, value in inputs.items() if not name.startswith("__") and value is not None}


def _before(resource: Resource, request: provider_pb2.DiffRequest | provider_pb2.UpdateRequest) -> Values:
    """The last wish, and what Hetzner chose where nothing was wished: to wish that now is no change."""
    olds, inputs = to_python(request.olds), to_python(request.old_inputs)
    if not inputs:
        return olds
    chosen = {name: olds.get(name) for name, field in resource.fields.items() if field.computed}
    return {**{name: value for name, value in chosen.items() if value is not None}, **inputs}


def _inputs_of(resource: Resource, request: provider_pb2.ReadRequest) -> Values:
    """The wish as far as the last outputs tell it; empty for an import."""
    return {name: value for name, value in _own(to_python(request.properties)).items() if name in resource.fields}


def _plain(resource: Resource, wish: Values) -> Values:
    plain: Values = reveal(wish)
    if has_unknown(plain):
        raise InvalidInputError(f"{resource.label(plain)} holds a value that is still unknown; this is a defect.")
    return plain


def _read(resource: Resource, session: Session, identity: str, plain: Values) -> Values:
    found = resource.read(session, identity, plain)
    if found is None:
        raise NotFoundError(
            f"{resource.label(plain)} (id {identity}) is gone from Hetzner.",
            code="hetzner_gone",
            remedy="Run `pulumi refresh` (or `up --refresh`): it is made anew then.",
        )
    return found[1]


def _finished(resource: Resource, session: Session, identity: str, plain: Values, live: Values) -> Values:
    """What a create leaves to be done: everything in which the new object is not yet as wished."""
    return _changed(resource, session, identity, plain, live, set(resource.fields))


def _changed(
    resource: Resource, session: Session, identity: str, plain: Values, live: Values, names: set[str]
) -> Values:
    """Bring the named properties about, those that are not so already; what is there then."""
    fields = {name: field for name, field in resource.fields.items() if name in names and not field.replaces}
    visible = differing({name: field for name, field in fields.items() if field.readable}, live, plain)
    unseen = {
        name
        for name, field in fields.items()
        if not field.readable and (plain.get(name) or len(names) < len(resource.fields))
    }
    todo = visible | unseen
    if not todo:
        return live
    resource.update(session, identity, plain, live, todo)
    found = resource.read(session, identity, plain)
    if found is None:
        raise TemporaryError(f"{resource.label(plain)} vanished while it was changed.", code="hetzner_gone")
    return found[1]


def _foreseen(resource: Resource, wish: Values, olds: Values) -> Values:
    """Outputs of a preview: what is wished, what stays, and unknown what Hetzner will say."""
    told = {name: olds.get(name, UNKNOWN) for name in resource.computed}
    for name, field in resource.fields.items():
        if field.computed:
            told[name] = olds.get(name, UNKNOWN)
        elif field.readable:
            told[name] = empty(field.shape)
    foreseen = {**told, **wish}
    marked = {
        name: Secret(reveal(value))
        for name, value in foreseen.items()
        if name in resource.fields and resource.fields[name].secret and not has_secret(value)
    }
    return {name: value for name, value in {**foreseen, **marked}.items() if value is not None}


def _keeps_name(old: Values, new: Values) -> bool:
    """Whether a replacement would bear the name of what it replaces, which Hetzner allows only once."""
    return "name" in new and reveal(old.get("name")) == reveal(new["name"]) and "name" not in (new.get(_DEFAULTS) or [])


def _property_diff(old: Any, new: Any, *, replaces: bool) -> provider_pb2.PropertyDiff:
    if replaces:
        kind = _KIND.ADD_REPLACE if old is None else _KIND.DELETE_REPLACE if new is None else _KIND.UPDATE_REPLACE
    else:
        kind = _KIND.ADD if old is None else _KIND.DELETE if new is None else _KIND.UPDATE
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def _failure(name: str, reason: str) -> provider_pb2.CheckFailure:
    return provider_pb2.CheckFailure(property=name, reason=reason)
