"""What a resource type of this plugin must be able to do, in plain Python values."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from clawstack.errors import ClawstackError
from clawstack.plugin_server.values import UNKNOWN, Secret, has_unknown, reveal

#: Property maps as they come from and go to the engine; may hold `Secret` and `UNKNOWN`.
Properties = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class InputProblem:
    """Why an input cannot be used."""

    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as it now is."""

    id: str
    properties: Properties


@dataclass(frozen=True, kw_only=True)
class ReadResource:
    """A resource as Read saw it; differing inputs make the next update repair them."""

    id: str
    inputs: Properties
    properties: Properties


@dataclass(frozen=True, kw_only=True)
class Work:
    """What bounds one call."""

    cancelled: threading.Event
    seconds: float | None = None
    """The resource's own timeout, None for the default."""


class NotReadyError(ClawstackError):
    """The resource exists and is in the state file, but does not work yet; the next update goes on with it."""

    code = "resource_not_ready"

    def __init__(self, resource: Resource, cause: ClawstackError) -> None:
        """`cause`: what people read."""
        super().__init__(cause.message, code=cause.code, remedy=cause.remedy)
        self.resource = resource
        self.cause = cause


class Handler(Protocol):
    """One resource type."""

    inputs: frozenset[str]
    """Names of all inputs; all are required."""
    secret_inputs: frozenset[str]
    """Made secret even when the program forgot to."""
    replacing: frozenset[str]
    """Inputs whose change needs a new resource; the old one is always deleted first."""
    computed: frozenset[str]
    """Outputs that are not inputs; unknown until created."""

    def check(self, inputs: Mapping[str, Any]) -> list[InputProblem]:
        """Problems of revealed inputs; values that are still unknown are left out of `inputs`."""
        ...

    def drift(self, resource_id: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        """Inputs (revealed, as in the state) that the world does not agree with any more."""
        ...

    def create(self, inputs: Properties, work: Work) -> Resource:
        """Make it; adopts what an earlier, killed attempt left."""
        ...

    def read(self, resource_id: str, inputs: Properties, properties: Properties) -> ReadResource | None:
        """How it is now; None when it is gone."""
        ...

    def update(self, resource: Resource, new: Properties, work: Work) -> Resource:
        """Change it in place; `resource.properties` is the state before."""
        ...

    def delete(self, resource: Resource, work: Work) -> None:
        """Nothing of it is left; deleting what is gone already is fine."""
        ...


_MISSING: Final = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    """Names of inputs that differ, each with "add", "delete" or "update"; an unknown differs from everything."""
    found: dict[str, str] = {}
    for name in sorted(names):
        before, after = reveal(old.get(name, _MISSING)), reveal(new.get(name, _MISSING))
        if before is _MISSING and after is _MISSING:
            continue
        if has_unknown(after) or before != after:
            found[name] = "add" if before is _MISSING else "delete" if after is _MISSING else "update"
    return found


def with_unknown(inputs: Properties, computed: frozenset[str]) -> Properties:
    """What a preview can say of a resource that is to be made."""
    return {**inputs, **dict.fromkeys(computed, UNKNOWN)}


def known(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Revealed inputs without those that are unknown."""
    return {name: reveal(value) for name, value in inputs.items() if not has_unknown(value)}


def keep_secret(inputs: Properties, names: frozenset[str]) -> Properties:
    """The inputs with every one of `names` marked secret."""
    return {
        name: Secret(value) if name in names and not isinstance(value, Secret) and value is not None else value
        for name, value in inputs.items()
    }
