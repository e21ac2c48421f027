"""How Stripe's objects look on the wire."""

from __future__ import annotations

from sandbox.stripe.model.values import Json


def ordered(body: Json) -> Json:
    """The same fields in Stripe's order: id, object, then the others by name."""
    first = ("id", "object")
    return {name: body[name] for name in (*first, *sorted(body.keys() - set(first)))}
