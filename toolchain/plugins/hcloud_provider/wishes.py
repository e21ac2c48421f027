"""Wishes as the engine sends them: completed, made plain, foreseen. Asks nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.values import UNKNOWN, Secret, has_secret, has_unknown, reveal, to_python
from toolchain.plugins.hcloud_provider.model.checking import converted, with_defaults
from toolchain.plugins.hcloud_provider.model.resource import Resource
from toolchain.plugins.hcloud_provider.model.shapes import Field, empty

Values = dict[str, Any]

DEFAULTS: Final = "__defaults"
"""Which inputs were nobody's wish; the official provider keeps the same list."""


def completed(
    resource: Resource, given: Values, before: Values, request: provider_pb2.CheckRequest
) -> tuple[Values, list[str]]:
    """The wish in its shapes, with defaults and a name, and which of it was nobody's wish."""
    wish = {name: _shaped(resource.fields.get(name), value) for name, value in own(given).items()}
    defaults = {name: field.default for name, field in resource.fields.items() if field.default is not None}
    defaulted = [name for name in defaults if wish.get(name) is None]
    wish |= {name: defaults[name] for name in defaulted}
    if resource.autonamed and wish.get("name") is None:
        # As the official provider: the logical name and seven random digits, kept as long as the resource lives.
        kept = before.get("name") if "name" in (before.get(DEFAULTS) or []) else None
        digits = hashlib.sha256(request.randomSeed or request.urn.encode()).hexdigest()[:7]
        wish["name"] = kept or f"{request.urn.rpartition('::')[2]}-{digits}"
        defaulted.append("name")
    return wish, sorted(defaulted)


def _shaped(field: Field | None, value: Any) -> Any:
    return value if field is None else with_defaults(field.shape, converted(field.shape, value))


def own(inputs: Mapping[str, Any]) -> Values:
    """Without what the engine and providers keep for themselves."""
    return {name: value for name, value in inputs.items() if not name.startswith("__") and value is not None}


def before(resource: Resource, request: provider_pb2.DiffRequest | provider_pb2.UpdateRequest) -> Values:
    """The last wish, and what Hetzner chose where nothing was wished: to wish that now is no change."""
    olds, inputs = to_python(request.olds), to_python(request.old_inputs)
    if not inputs:
        return olds
    chosen = {name: olds.get(name) for name, field in resource.fields.items() if field.computed}
    return {**{name: value for name, value in chosen.items() if value is not None}, **inputs}


def inputs_of(resource: Resource, request: provider_pb2.ReadRequest) -> Values:
    """The wish as far as the last outputs tell it; empty for an import."""
    return {name: value for name, value in own(to_python(request.properties)).items() if name in resource.fields}


def plain(resource: Resource, wish: Values) -> Values:
    plain: Values = reveal(wish)
    if has_unknown(plain):
        raise InvalidInputError(f"{resource.label(plain)} holds a value that is still unknown; this is a defect.")
    return plain


def foreseen(resource: Resource, wish: Values, olds: Values) -> Values:
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


def keeps_name(old: Values, new: Values) -> bool:
    """Whether a replacement would bear the name of what it replaces, which Hetzner allows only once."""
    return "name" in new and reveal(old.get("name")) == reveal(new["name"]) and "name" not in (new.get(DEFAULTS) or [])
