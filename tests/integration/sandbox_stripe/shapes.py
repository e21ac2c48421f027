"""Compares a JSON object with the official library's own types: no unknown field, no required field missing or mistyped."""

from __future__ import annotations

import types
import typing
from decimal import Decimal
from typing import Any, ForwardRef, Literal, Union

import stripe
from stripe._object_classes import get_object_class
from stripe._stripe_object import StripeObject, UntypedStripeObject

Json = dict[str, Any]


def faults(body: Json) -> list[str]:
    """Every difference, each as a sentence; empty when the shape is right. The class is found by `object`."""
    return _object(body, get_object_class("V1", body["object"]), body["object"])


def _object(body: Json, shape: type, path: str) -> list[str]:
    fields: Json = {}
    for base in reversed(shape.__mro__):
        if base is not StripeObject and issubclass(base, StripeObject):
            found = getattr(base, "__annotations__", {})
            fields |= {
                name: hint for name, hint in found.items() if not _is_class_var(hint) and not name.startswith("_")
            }
    wrong = [f"{path}.{name} is unknown to {shape.__name__}" for name in body if name not in fields]
    for name, hint in fields.items():
        if name in body:
            wrong += _value(body[name], hint, f"{path}.{name}")
        elif not _may_be_none(hint):
            wrong.append(f"{path}.{name} is missing")
    return wrong


def _is_class_var(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.ClassVar


def _may_be_none(hint: Any) -> bool:
    return hint is Any or hint is type(None) or type(None) in typing.get_args(hint)


def _value(value: Any, hint: Any, path: str) -> list[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union or isinstance(hint, types.UnionType):
        return min((_value(value, argument, path) for argument in arguments), key=len)
    if origin is Literal:
        return [] if value in arguments else [f"{path} is {value!r}, not one of {arguments}"]
    if isinstance(hint, ForwardRef | str):
        return faults_at(value, path)
    if origin in (list, stripe.ListObject):
        return _elements(value, origin, arguments[0], path)
    if hint is Any or (isinstance(value, dict) and UntypedStripeObject in (origin, hint)):
        return []
    return _plain(value, hint, path)


def _plain(value: Any, hint: Any, path: str) -> list[str]:
    if isinstance(hint, type) and issubclass(hint, StripeObject):
        return _object(value, hint, path) if isinstance(value, dict) else [f"{path} is not a {hint.__name__}"]
    wanted = str if hint is Decimal else hint
    exact = type(value) is wanted or (wanted is float and type(value) is int)
    return [] if exact else [f"{path} is {value!r}, not {wanted}"]


def _elements(value: Any, kind: type, hint: Any, path: str) -> list[str]:
    if kind is list:
        if not isinstance(value, list):
            return [f"{path} is not a list"]
        return [fault for index, item in enumerate(value) for fault in _value(item, hint, f"{path}[{index}]")]
    if not isinstance(value, dict) or value.get("object") != "list" or not {"data", "has_more", "url"} <= set(value):
        return [f"{path} is not a list object"]
    return [fault for index, item in enumerate(value["data"]) for fault in faults_at(item, f"{path}.data[{index}]")]


def faults_at(value: Any, path: str) -> list[str]:
    """A nested API object: checked by its own class."""
    if not isinstance(value, dict) or "object" not in value:
        return [f"{path} is not an API object"]
    return [f"{path}: {fault}" for fault in faults(value)]
