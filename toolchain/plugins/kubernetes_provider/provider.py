"""Answers the engine for every kind alike: wishes go to the API server by server-side apply."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from typing_extensions import override

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.provider import PlainProvider
from clawstack.plugin_server.values import UNKNOWN, has_unknown, reveal, to_python, to_struct
from toolchain.plugins.kubernetes_provider.api import Api, Object, label
from toolchain.plugins.kubernetes_provider.changes import adopted, changes, cleaned, outputs, still_shown
from toolchain.plugins.kubernetes_provider.kinds import Kind, kind_of
from toolchain.plugins.kubernetes_provider.kubeconfig import read_access, server_of

_AUTONAMED: Final = "pulumi.com/autonamed"
_FORCE: Final = "pulumi.com/patchForce"
_DELETE_SECONDS: Final = 600.0
_CONTENT: Final = ("data", "binaryData", "stringData")
_LONGEST_NAME: Final = 63
_KIND = provider_pb2.PropertyDiff
_PLAIN: Final = {"add": _KIND.ADD, "delete": _KIND.DELETE, "update": _KIND.UPDATE}
_REPLACING: Final = {"add": _KIND.ADD_REPLACE, "delete": _KIND.DELETE_REPLACE, "update": _KIND.UPDATE_REPLACE}


class KubernetesProvider(PlainProvider):
    """The `kubernetes` package, offline."""

    def __init__(self, *, version: str) -> None:
        super().__init__(version=version)
        self._stop = threading.Event()
        self._config: dict[str, Any] = {}
        self._api: Api | None = None

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._stop.set()

    def close(self) -> None:
        """Close connections."""
        if self._api is not None:
            self._api.close()

    @override
    def Cancel(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.stop()
        return empty_pb2.Empty()

    @override
    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old = reveal(to_python(request.old_inputs or request.olds))
        new = reveal(to_python(request.news))
        if _changed(old, new) == []:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        replaces = ["clusterIdentifier" if "clusterIdentifier" in new else "kubeconfig"] if _other(old, new) else []
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_SOME, replaces=replaces)

    @override
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._config = reveal(to_python(request.args))
        kubeconfig = self._config.get("kubeconfig") or os.environ.get("KUBECONFIG") or "~/.kube/config"
        if kubeconfig is not UNKNOWN:  # in a preview the cluster itself may only be planned
            self._api = Api(read_access(kubeconfig, self._config.get("context")), self._stop)
        return super().Configure(request, context)

    @override
    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        kind = kind_of(request.urn)
        news = cleaned(to_python(request.news))
        metadata = news.get("metadata", {})
        if metadata is UNKNOWN or not isinstance(metadata, Mapping):
            return provider_pb2.CheckResponse(inputs=to_struct(news))
        news["metadata"] = self._named(kind, metadata, request)
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"{name} is required.")
            for name in ("apiVersion", "kind")
            if not news.get(name)
        ]
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    @override
    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kind = kind_of(request.urn)
        old = reveal(cleaned(to_python(request.old_inputs or request.olds)))
        new = reveal(cleaned(to_python(request.news)))
        ignored = tuple(request.ignoreChanges)
        found = {
            path: change for path, change in changes(old, new) if not any(_below(path, place) for place in ignored)
        }
        if not found:
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)
        replaces = [path for path in found if self._needs_new(kind, path, old, new)]
        detailed = {
            path: provider_pb2.PropertyDiff(kind=(_REPLACING if path in replaces else _PLAIN)[change], inputDiff=True)
            for path, change in found.items()
        }
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME,
            diffs=sorted({path.split(".")[0].split("[")[0] for path in found}),
            replaces=replaces,
            # Two objects cannot bear one name at once; an automatic name is drawn anew.
            deleteBeforeReplace=bool(replaces) and not _autonamed(new) and _identity(old) == _identity(new),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @override
    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        kind, wish = kind_of(request.urn), cleaned(to_python(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=to_struct(wish))
        self._require_new(kind, reveal(wish))
        live = self._apply(kind, request.urn, wish)
        return provider_pb2.CreateResponse(id=_id(live), properties=to_struct(outputs(live, wish)))

    @override
    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        kind, wish = kind_of(request.urn), cleaned(to_python(request.news))
        if request.preview:
            known = {key: value for key, value in to_python(request.olds).items() if key not in wish}
            return provider_pb2.UpdateResponse(properties=to_struct({**known, **wish}))
        return provider_pb2.UpdateResponse(properties=to_struct(outputs(self._apply(kind, request.urn, wish), wish)))

    @override
    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        kind = kind_of(request.urn)
        wish = cleaned(to_python(request.inputs))
        live = self._server().read(kind, _named_by_id(kind, request))
        if live is None:
            return provider_pb2.ReadResponse()
        inputs = still_shown(wish, live) if wish else adopted(live)
        return provider_pb2.ReadResponse(
            id=_id(live), properties=to_struct(outputs(live, wish)), inputs=to_struct(inputs)
        )

    @override
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        kind = kind_of(request.urn)
        wish = reveal(cleaned(to_python(request.old_inputs or request.properties)))
        self._server().delete(kind, wish, seconds=request.timeout or _DELETE_SECONDS)
        return empty_pb2.Empty()

    def _require_new(self, kind: Kind, plain: Object) -> None:
        """Refuse to take over an object that is there, unless the provider is told to, as the official one does.

        That one creates by POST (pulumi-kubernetes#4278). Here the object is looked for first, so that server-side apply
        owns all fields from the start; what is made between the two calls is taken over.
        """
        if self._config_flag("upsertExistingObjects") or has_unknown(plain):
            return
        if self._server().read(kind, plain) is None:
            return
        name = plain["metadata"]["name"]
        raise InvalidInputError(
            f'The API server refused to create {label(plain)} (409 AlreadyExists): {kind.plural} "{name}" already exists',
            code="refused_by_kubernetes",
            remedy="Remove the object that is there, or let the provider take it over (upsertExistingObjects).",
        )

    def _apply(self, kind: Kind, urn: str, wish: Mapping[str, Any]) -> Object:
        plain: Object = reveal(wish)
        if has_unknown(plain):
            raise InvalidInputError(f"{plain.get('kind')} holds a value that is still unknown; this is a defect.")
        annotations = plain["metadata"].get("annotations") or {}
        force = bool(self._config_flag("enablePatchForce")) or annotations.get(_FORCE) == "true"
        return self._server().apply(kind, plain, manager=_manager(urn), force=force)

    def _server(self) -> Api:
        if self._api is None:
            raise InvalidInputError("The cluster's kubeconfig is not known yet.", remedy="Create the cluster first.")
        return self._api

    def _named(self, kind: Kind, metadata: Mapping[str, Any], request: provider_pb2.CheckRequest) -> dict[str, Any]:
        """With a name (the one that it had, else a new one with a random end) and a namespace."""
        named = dict(metadata)
        if kind.namespaced and not named.get("namespace"):
            named["namespace"] = self._config.get("namespace") or "default"
        if named.get("name"):
            return named
        before = reveal(to_python(request.olds))
        stem = str(named.get("generateName") or request.urn.split("::")[-1].lower())[: _LONGEST_NAME - 9].rstrip("-")
        fresh = f"{stem}-{secrets.token_hex(4)}"
        named["name"] = before["metadata"]["name"] if _autonamed(before) else fresh
        named["annotations"] = {**(named.get("annotations") or {}), _AUTONAMED: "true"}
        return named

    def _needs_new(self, kind: Kind, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        if kind.is_fixed(path) or _group(old) != _group(new):
            return True
        flag = {"secrets": "enableSecretMutable", "configmaps": "enableConfigMapMutable"}.get(kind.plural)
        if flag is None or not any(_below(path, content) for content in _CONTENT):
            return False
        # As the official provider does: pods notice a new object, not new content, unless the provider is told so.
        return bool(old.get("immutable")) or not self._config_flag(flag)

    def _config_flag(self, name: str) -> bool:
        # The SDK sends booleans of a provider as JSON text.
        return self._config.get(name) in (True, "true")


def _named_by_id(kind: Kind, request: provider_pb2.ReadRequest) -> Object:
    """The object that an id means, one given to `pulumi import` too: `namespace/name`, or `name`."""
    namespace, _, name = request.id.rpartition("/")
    token = request.urn.split("::")[2].rsplit("$", maxsplit=1)[-1].removeprefix("kubernetes:")
    group, _, kind_name = token.rpartition(":")
    metadata = {"name": name, **({"namespace": namespace or "default"} if kind.namespaced else {})}
    return {"apiVersion": group.removeprefix("core/"), "kind": kind_name, "metadata": metadata}


def _id(live: Mapping[str, Any]) -> str:
    metadata = live["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _identity(value: Mapping[str, Any]) -> tuple[Any, Any]:
    metadata = value.get("metadata") or {}
    return metadata.get("namespace"), metadata.get("name")


def _autonamed(value: Mapping[str, Any]) -> bool:
    return ((value.get("metadata") or {}).get("annotations") or {}).get(_AUTONAMED) == "true"


def _group(value: Mapping[str, Any]) -> tuple[str, Any]:
    return str(value.get("apiVersion", "")).rpartition("/")[0], value.get("kind")


def _manager(urn: str) -> str:
    """Owner of the fields that a resource sets: its own, the same in every run, so that a broken run can be repeated."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [path for path, _ in changes(old, new) if path != "version"]


def _other(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether another cluster is meant: by its identifier where one is given, else by the server's address."""
    if old.get("clusterIdentifier") or new.get("clusterIdentifier"):
        return bool(old.get("clusterIdentifier") != new.get("clusterIdentifier"))
    before, after = old.get("kubeconfig"), new.get("kubeconfig")
    if before is UNKNOWN or after is UNKNOWN or before is None or after is None:
        return before is not after
    return server_of(before, old.get("context")) != server_of(after, new.get("context"))
