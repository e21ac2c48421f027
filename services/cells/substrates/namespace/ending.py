"""Why a namespace does not end, in the words that Kubernetes has for it: pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from lightkube.models.core_v1 import NamespaceCondition
from lightkube.resources.core_v1 import Namespace

from clawstack.errors import TemporaryError

STUCK: Final = "namespace_stuck"
_RETRY: Final = 60.0
"""Seconds. Kubernetes' own controller looks about as often; with each failure the provisioner waits longer, up to 5 min."""
_USUAL: Final = timedelta(seconds=60)
"""Within this a namespace ends whose pods are gone, and its controller looked again at what it could not do at first."""
#: The controller cannot even ask what is in the namespace, or is refused when it deletes: that does not mend itself.
_FAILURES: Final = frozenset({
    "NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure", "NamespaceDeletionContentFailure",
})  # fmt: skip
_REMEDIES: Final = {
    "NamespaceDeletionDiscoveryFailure": "`kubectl get apiservices` shows one that is not Available: mend it or delete it. "
    "Until then no namespace of this cluster ends.",
    "NamespaceDeletionContentFailure": "Mend what refuses the deletion, most often an admission webhook.",
    "NamespaceFinalizersRemaining": "Start the controller that set the finalizers; if it is gone for good, remove them.",
}
_USUAL_REMEDY: Final = "Look at what is named; the operation is tried again."


def held_by(namespace: Namespace) -> str:
    """What keeps a namespace alive that is being deleted; empty where Kubernetes names nothing."""
    return "; ".join(f"{entry.type}: {entry.message}" for entry in _true(namespace) if entry.message)


def obstacle(namespace: Namespace, *, now: datetime) -> TemporaryError | None:
    """The error of a namespace that is being deleted and will not end by waiting a moment; None for any other."""
    asked = namespace.metadata.deletionTimestamp if namespace.metadata else None
    kinds = [entry.type for entry in _true(namespace)]
    if asked is None or not kinds or not (now - asked >= _USUAL or _FAILURES.intersection(kinds)):
        return None
    name = namespace.metadata.name if namespace.metadata else "?"
    remedy = next((_REMEDIES[kind] for kind in kinds if kind in _REMEDIES), _USUAL_REMEDY)
    sentence = f"The namespace {name} is being deleted and does not end: {held_by(namespace)}"
    return TemporaryError(sentence, code=STUCK, retry_after=_RETRY, remedy=remedy)


def _true(namespace: Namespace) -> list[NamespaceCondition]:
    conditions = (namespace.status.conditions if namespace.status else None) or []
    return [entry for entry in conditions if entry.status == "True"]
