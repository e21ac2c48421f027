"""From stored objects to answers: private fields removed, `expand[]` honoured, long lines cut as Stripe cuts them."""

from __future__ import annotations

from typing import Any

from sandbox.stripe.model.errors import ApiError
from sandbox.stripe.model.values import Json, list_of
from sandbox.stripe.store.account import Account, public

MAX_DEPTH = 4
FIRST_LINES = 10


def render(account: Account, answer: Json, expand: list[str]) -> Json:
    """The JSON that leaves. Raises ApiError for a path that cannot be expanded."""
    if answer.get("object") == "list":
        result = {**answer, "data": [_clean(item) for item in answer["data"]]}
    else:
        result = _clean(answer)
    for index, path in enumerate(expand):
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise ApiError("You cannot expand more than 4 levels of a property.", param=f"expand[{index}]")
        _expand(account, result, steps, path)
    return result


def _clean(body: Json) -> Json:
    result = public(body)
    if result.get("object") == "invoice" and len(result["lines"]["data"]) > FIRST_LINES:
        result["lines"] |= {"data": result["lines"]["data"][:FIRST_LINES], "has_more": True}
    return result


def _expand(account: Account, node: Any, steps: list[str], path: str) -> None:
    if isinstance(node, list):
        for item in node:
            _expand(account, item, steps, path)
        return
    if not steps or node is None:
        return
    step, rest = steps[0], steps[1:]
    if not isinstance(node, dict):
        raise _not_expandable(path)
    if step not in node or (node[step] is None and (node.get("object"), step) in VIRTUAL):
        node[step] = _virtual(account, node, step, path)
    value = node[step]
    if isinstance(value, str):
        found = account.objects.get(value)
        if found is None:
            raise _not_expandable(path)
        node[step] = _clean(found)
    elif not rest and value is not None and not isinstance(value, dict | list):
        raise _not_expandable(path)
    _expand(account, node[step], rest, path)


VIRTUAL = {
    ("checkout.session", "line_items"),
    ("invoice", "payments"),
    ("customer", "subscriptions"),
    ("customer", "sources"),
    ("charge", "refunds"),
    ("price", "tiers"),
}
"""Fields that are absent until asked for."""


def _virtual(account: Account, node: Json, step: str, path: str) -> Any:
    kind = (node.get("object"), step)
    if kind not in VIRTUAL:
        raise _not_expandable(path)
    found: list[Json] = []
    url = f"/v1/{node['object']}s/{node['id']}/{step}"
    if kind == ("checkout.session", "line_items"):
        stored = account.objects.get(node["id"]) or {}
        found, url = stored.get("_line_items", []), f"/v1/checkout/sessions/{node['id']}/line_items"
    elif kind == ("invoice", "payments"):
        found = account.every("invoice_payment", invoice=node["id"])[::-1]
    elif kind == ("customer", "subscriptions"):
        ended = ("canceled", "incomplete_expired")
        everything = account.every("subscription", customer=node["id"])[::-1]
        found = [entry for entry in everything if entry["status"] not in ended]
    elif kind == ("charge", "refunds"):
        found = account.every("refund", charge=node["id"])[::-1]
    return list_of([_clean(item) for item in found], url)


def _not_expandable(path: str) -> ApiError:
    return ApiError(
        f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.",
        param="expand",
    )
