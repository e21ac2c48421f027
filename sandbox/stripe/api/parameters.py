"""Which parameters Stripe knows: taken from the official library's own types, so the list is Stripe's, not ours."""

from __future__ import annotations

import importlib
import re
import sys
from functools import cache
from typing import Any

from sandbox.stripe.api.endpoint import Endpoint
from sandbox.stripe.model.errors import missing_parameter, unknown_parameter, unsupported_parameter
from sandbox.stripe.model.values import Json

Shape = type
"""A TypedDict class of the library."""
_OPTIONS = {"api_key", "content_type", "headers", "idempotency_key", "max_network_retries", "stripe_account"}
_OPTIONS |= {"stripe_context", "stripe_version"}


def check(endpoint: Endpoint, values: Json) -> None:
    """Raises parameter_unknown, sandbox_unsupported_parameter or parameter_missing, in this order."""
    known = known_parameters(endpoint.params) if endpoint.params else None
    handled = {*endpoint.takes, *endpoint.ignores, "expand"}
    for name, value in values.items():
        if known is None:
            if name not in handled:
                raise unknown_parameter(name)
            continue
        if name not in known and name not in handled:
            raise unknown_parameter(name)
        if name not in handled:
            raise unsupported_parameter(name)
        _check_nested(known.get(name, ()), value, name)
    for name in endpoint.requires:
        if values.get(name) in (None, "", {}):
            raise missing_parameter(name)


def _check_nested(classes: tuple[Shape, ...], value: Any, path: str) -> None:
    if not classes or not isinstance(value, dict):
        return
    known: dict[str, tuple[Shape, ...]] = {}
    for shape in classes:
        known |= _fields(shape)
    for name, inner in value.items():
        if name.isdigit():
            _check_nested(classes, inner, f"{path}[{name}]")
        elif name not in known:
            raise unknown_parameter(f"{path}[{name}]")
        else:
            _check_nested(known[name], inner, f"{path}[{name}]")


@cache
def known_parameters(dotted: str) -> dict[str, tuple[Shape, ...]]:
    """Top-level parameters of one of `stripe.params`'s classes and the classes of what is nested in them."""
    module, _, name = f"stripe.params.{dotted}".rpartition(".")
    shape = getattr(importlib.import_module(module), name)
    return {key: value for key, value in _fields(shape).items() if key not in _OPTIONS}


@cache
def _fields(shape: Shape) -> dict[str, tuple[Shape, ...]]:
    module = vars(sys.modules[shape.__module__])
    fields: dict[str, tuple[Shape, ...]] = {}
    for base in reversed(shape.__mro__):
        for name, annotation in getattr(base, "__annotations__", {}).items():
            words = set(re.findall(r"\w+", str(annotation)))
            nested = [module[word] for word in sorted(words) if "Params" in word and isinstance(module.get(word), type)]
            fields[name] = tuple(nested)
    return fields
