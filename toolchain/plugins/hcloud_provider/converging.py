"""Brings an object to its wish: looks, changes what differs, looks again."""

from __future__ import annotations

from typing import Any

from clawstack.errors import NotFoundError, TemporaryError
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model.changes import differing
from toolchain.plugins.hcloud_provider.model.resource import PASSING, Resource

Values = dict[str, Any]


def read(resource: Resource, session: Session, identity: str, plain: Values) -> Values:
    """What is there; raises NotFoundError that says how to go on where it is gone."""
    found = resource.read(session, identity, plain)
    if found is None:
        raise NotFoundError(
            f"{resource.label(plain)} (id {identity}) is gone from Hetzner.",
            code="hetzner_gone",
            remedy="Run `pulumi refresh` (or `up --refresh`): it is made anew then.",
        )
    return found[1]


def finished(resource: Resource, session: Session, identity: str, plain: Values, live: Values) -> Values:
    """What a create leaves to be done: everything in which the new object is not yet as wished."""
    return changed(resource, session, identity, plain, live, set(resource.fields))


def changed(
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
    # A mark says that an earlier run was broken off; the update that takes it away finishes that as well.
    marked = {"labels"} if PASSING & set(live.get("labels") or {}) else set()
    todo = visible | unseen | marked
    if not todo:
        return live
    resource.update(session, identity, plain, live, todo)
    found = resource.read(session, identity, plain)
    if found is None:
        raise TemporaryError(f"{resource.label(plain)} vanished while it was changed.", code="hetzner_gone")
    return found[1]
