"""What lies inside another object, without a name or labels: a subnet, a route, a service, an attachment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clawstack.errors import ConflictError
from toolchain.plugins.hcloud_provider.cloud.api import Lost
from toolchain.plugins.hcloud_provider.cloud.session import Session

LOST_TRIES: Final = 4
"""How often something is sent whose answer got lost, before giving up."""
NAME_TAKEN: Final = "hetzner_uniqueness_error"
"""The code under which the official provider's refusal of what is there already is read too."""
AFTER_LOST: Final = "Look whether it is there, remove or import it, and run the update again."


def taken(sentence: str, remedy: str) -> ConflictError:
    """The refusal to take over what is there already: the official provider makes again, and Hetzner refuses it."""
    return ConflictError(sentence, code=NAME_TAKEN, remedy=remedy)


def add_part(session: Session, what: str, parent: str, *, there: Callable[[], bool], add: Callable[[], object]) -> None:
    """Add a part that is not there, by a call that must not be repeated blindly.

    After an answer that got lost the part is looked for, once `parent` (a path) has no action under way any more:
    what is there then is this call's own.
    """
    for _ in range(LOST_TRIES):
        try:
            add()
        except Lost as lost:
            session.tell(f"{lost.message} Looking whether it was done.")
            session.settle_running(parent)
            if not there():
                continue
        return
    raise Lost(f"Hetzner's answers to adding {what} keep getting lost.", remedy=AFTER_LOST)
