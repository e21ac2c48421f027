"""What a kind of resource is to the provider, and what all objects with a name of their own have in common."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final

from typing_extensions import override

from clawstack.errors import ConflictError
from clawstack.labels import MANAGED_BY
from toolchain.plugins.hcloud_provider.cloud.api import Lost, Object
from toolchain.plugins.hcloud_provider.cloud.session import Session
from toolchain.plugins.hcloud_provider.model.checking import Reason
from toolchain.plugins.hcloud_provider.model.parts import AFTER_LOST, LOST_TRIES, NAME_TAKEN, taken
from toolchain.plugins.hcloud_provider.model.shapes import Field

Values = Mapping[str, Any]

UNFINISHED: Final = "clawstack.dev/unfinished"
"""Label of an object from its creation until it is as wished; its value is a digest of what cannot be read back."""
INTERRUPTED: Final = "clawstack.dev/interrupted"
"""Label of a server that was switched off for a change and must be on again."""
PASSING: Final = frozenset({UNFINISHED, INTERRUPTED})
"""Labels of this plugin's own; they go when the wish is fulfilled."""
_OURS: Final = "clawstack.dev/"


class Resource(ABC):
    """One type of resource. Holds no state: everything comes with the call."""

    type_name: ClassVar[str]
    noun: ClassVar[str]
    fields: ClassVar[Mapping[str, Field]]
    computed: ClassVar[tuple[str, ...]] = ()
    """Outputs that are no inputs."""
    autonamed: ClassVar[bool] = False
    """Whether a name is made up where none is given."""
    one_at_a_time: ClassVar[bool] = False
    """Old and new cannot be there at once, so a replacement deletes first."""

    def complaints(self, wish: Values, before: Values) -> Iterator[Reason]:  # noqa: ARG002 - for those who need it
        """What is wrong with the whole, beyond each property; `before`: the wish of the last update, empty at first.

        Values may be UNKNOWN; secrets are revealed.
        """
        yield from ()

    @abstractmethod
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        """Make it; the id. `known`: ids that other resources hold.

        It need not be in every respect as wished: the provider compares and calls `update`. Raises `Unfinished`
        when something was made and could not be waited for (`Session.making` sees to that).
        """

    @abstractmethod
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        """The id in its usual form and everything that can be seen, None where it is gone.

        `identity` may be one given to `pulumi import`; `wish` is empty then.
        """

    def update(  # noqa: B027 - many kinds have nothing that could be changed
        self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]
    ) -> None:
        """Change what is named in `changed`; `live` as `read` returned it. Repeating changes nothing."""

    @abstractmethod
    def delete(self, session: Session, identity: str, state: Values) -> None:
        """Delete it; what is gone already is fine. `state`: the last outputs."""

    def label(self, wish: Values) -> str:
        """How sentences call it."""
        return f"{self.noun} {wish.get('name') or ''}".rstrip()


class NamedObject(Resource):
    """An object with a name that is unique in its project, and with labels."""

    autonamed = True
    plural: ClassVar[str]
    key: ClassVar[str]
    """Under which the API gives it."""

    @abstractmethod
    def body(self, session: Session, wish: Values) -> dict[str, Any]:
        """What is sent to create it, name and labels aside."""

    @abstractmethod
    def seen(self, found: Object, wish: Values) -> dict[str, Any]:
        """The API's object as outputs."""

    def path(self, identity: str) -> str:
        """Where the object is served."""
        return f"/{self.plural}/{identity}"

    @override
    def create(self, session: Session, wish: Values, known: Collection[str]) -> str:
        sent = False
        for attempt in range(LOST_TRIES):
            left = self._left_behind(session, wish, known, just_made=sent)
            if left is not None:
                return left
            try:
                answer = session.create(f"/{self.plural}", self._creation(session, wish), self.label(wish))
            except Lost as lost:
                sent = True
                session.tell(f"{lost.message} Looking whether it was done.")
                continue
            except ConflictError as refused:
                # Somebody was faster; it may have been a run of ours that was being broken off.
                if attempt or refused.code != NAME_TAKEN:
                    raise
                continue
            identity = str(answer[self.key]["id"])
            session.making(identity).settle(answer)
            return identity
        raise Lost(
            f"Hetzner's answers to creating {self.label(wish)} keep getting lost.",
            remedy=AFTER_LOST,
        )

    def _creation(self, session: Session, wish: Values) -> dict[str, Any]:
        labels = dict(wish.get("labels") or {})
        fixed = [name for name, field in self.fields.items() if field.replaces and not field.readable]
        if fixed and marks(labels):
            labels[UNFINISHED] = _digest({name: wish.get(name) for name in fixed})
        return {"name": wish["name"], "labels": labels, **self.body(session, wish)}

    def _left_behind(self, session: Session, wish: Values, known: Collection[str], *, just_made: bool) -> str | None:
        """The id of what this very call made and did not hear of, None where there is nothing of that name.

        `just_made`: there was nothing of that name, and a create was sent since: whatever bears it now is ours. Anything
        else of that name is refused, as the official provider refuses it, whatever its labels say: what a killed run
        made is removed, or imported, by those who ran it.
        """
        found = next(iter(session.every(f"/{self.plural}", self.plural, name=wish["name"])), None)
        if found is None:
            return None
        identity = str(found["id"])
        if identity in known or not just_made:
            raise self._foreign(wish, identity)
        session.tell(f"found {self.label(wish)} (id {identity}), whose creation was not answered")
        session.settle_running(self.path(identity))
        return identity

    def _foreign(self, wish: Values, identity: str) -> ConflictError:
        return taken(
            f"There is a {self.noun} {wish['name']!r} already (id {identity}), and it is not this resource's own.",
            f"Choose another name, delete it, or take it over: pulumi import {self.type_name} NAME {identity}.",
        )

    @override
    def read(self, session: Session, identity: str, wish: Values) -> tuple[str, dict[str, Any]] | None:
        found = session.get(self.path(identity), self.key, f"{self.noun} {identity}")
        if found is None:
            return None
        return str(found["id"]), {**common(found), **self.seen(found, wish)}

    @override
    def update(self, session: Session, identity: str, wish: Values, live: Values, changed: Collection[str]) -> None:
        plain = {name: wish.get(name) or {} for name in ("name", "labels") if name in changed and name in self.fields}
        if plain:
            session.change(self.path(identity), plain, self.label(wish))
        if "deleteProtection" in changed:
            self.protect(session, identity, wish)

    def protect(self, session: Session, identity: str, wish: Values) -> None:
        """Protect it from deletion, or no longer."""
        body = {"delete": bool(wish.get("deleteProtection"))}
        session.act(f"{self.path(identity)}/actions/change_protection", f"protect {self.label(wish)}", body)

    @override
    def delete(self, session: Session, identity: str, state: Values) -> None:
        session.delete(self.path(identity), f"{self.noun} {state.get('name') or identity}")


def common(found: Object) -> dict[str, Any]:
    """What every object of the API tells alike."""
    told: dict[str, Any] = {"labels": dict(found.get("labels") or {})}
    if "name" in found:
        told["name"] = found["name"]
    if "protection" in found:
        told["deleteProtection"] = bool((found["protection"] or {}).get("delete"))
    return told


def marks(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels by which this project knows its own; empty where none says whose an object is."""
    own = {name: value for name, value in labels.items() if name.startswith(_OURS) and name not in PASSING}
    # Who made it alone would be the same for every cluster and tenant.
    return {**own, MANAGED_BY: labels.get(MANAGED_BY, "")} if own else {}


def _digest(values: Values) -> str:
    """Short digest of what was given."""
    given = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]
