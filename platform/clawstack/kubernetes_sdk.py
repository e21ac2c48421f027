"""Pulumi's Kubernetes SDK by the words of manifests: the class of a kind, and its arguments."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pulumi_kubernetes.apiextensions import CustomResource

#: Module of the SDK for each API group used in this project; other kinds are declared as custom resources.
_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "v1": "core.v1",
        "apps/v1": "apps.v1",
        "networking.k8s.io/v1": "networking.v1",
        "rbac.authorization.k8s.io/v1": "rbac.v1",
        "policy/v1": "policy.v1",
        "autoscaling/v2": "autoscaling.v2",
        "scheduling.k8s.io/v1": "scheduling.v1",
        "storage.k8s.io/v1": "storage.v1",
        "admissionregistration.k8s.io/v1": "admissionregistration.v1",
    }
)
_TYPE: Final = frozenset({"apiVersion", "kind"})
_LOADING: Final = threading.Lock()


def class_of(api_version: str, kind: str) -> Callable[..., Any]:
    """What declares an object of this kind: called with a resource's name, `arguments` and `opts`."""
    name = _MODULES.get(api_version)
    if name is None:
        return lambda resource, **fields: CustomResource(resource, api_version=api_version, kind=kind, **fields)
    found: Callable[..., Any] = getattr(module(name), kind)
    return found


def module(name: str) -> Any:
    """A module of the SDK. It loads them when they are first touched, and not safely from two threads at once."""
    with _LOADING:
        importlib.import_module("pulumi_kubernetes.meta.v1")
        return importlib.import_module(f"pulumi_kubernetes.{name}")


def arguments(document: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest's top-level fields as the SDK spells them, without the type: `automount_service_account_token`."""
    return {_spelled(key): value for key, value in document.items() if key not in _TYPE}


def _spelled(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
