"""What the official providers mean, whose errors carry no mark: read from their words. Pure.

They pass on the words of the API behind them (Hetzner's Go client, the Kubernetes API machinery) and of Pulumi's own
check of inputs; the kinds and remedies are those that the offline providers give the same refusals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clawstack.errors import ClawstackError, NeedsAttentionError, TemporaryError, as_asked_by_the_platform
from clawstack.hetzner_refusals import printed_code, refused

_BUSY_RETRY: Final = 10.0
_ENDING_RETRY: Final = 10.0
#: A provider's Check (`issueCheckFailures` in the engine), of one property or of the whole resource.
_CHECK: Final = re.compile(r"resource '[^']*'(?: has a problem:|: property \S+ value .* has a problem:)", re.DOTALL)
_VALUE: Final = re.compile(r"(property \S+ value \{)(.{80}).*?(\} has a problem:)", re.DOTALL)
_REFUSED: Final = "refused_by_kubernetes"
"""The code that the offline provider gives whatever the API server refuses."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One way in which the Kubernetes API server, or the client that speaks to it, refuses."""

    words: re.Pattern[str]
    make: Callable[[str], ClawstackError]


def _waits(seconds: float) -> Callable[[str], ClawstackError]:
    return lambda sentence: TemporaryError(sentence, code=_REFUSED, retry_after=seconds)


def _needs(remedy: str, code: str = _REFUSED) -> Callable[[str], ClawstackError]:
    return lambda sentence: NeedsAttentionError(sentence, code=code, remedy=remedy)


def _row(words: str, make: Callable[[str], ClawstackError]) -> _Row:
    return _Row(words=re.compile(words), make=make)


#: Sources: `k8s.io/apimachinery/pkg/api/errors` (the sentences) and `provider/pkg/provider` of pulumi-kubernetes.
#: The first that fits counts: what passes stands before what is refused for good.
_KUBERNETES: Final = (
    _row(r"because it is being terminated|object is being deleted", _waits(_ENDING_RETRY)),
    _row(r"Operation cannot be fulfilled on |the object has been modified", _waits(_BUSY_RETRY)),
    _row(
        r"Unauthorized\b|asked for the client to provide credentials",
        lambda sentence: TemporaryError(
            sentence,
            code="kubernetes_unauthorized",
            retry_after=60.0,
            remedy="Look whether the kubeconfig's account and token are still valid.",
        ),
    ),
    _row(
        r"unable to load Kubernetes client configuration|failed to parse kubeconfig",
        _needs("Give a kubeconfig of the cluster.", "kubeconfig_unusable"),
    ),
    _row(
        r'\w "[^"]+" already exists',
        _needs("Remove the object that is there, or let the provider take it over (upsertExistingObjects)."),
    ),
    _row(r"exceeded quota:", _needs("Raise the namespace's quota, or remove what is no longer needed.")),
    _row(
        r"is forbidden: |\bforbidden: User \"",
        _needs("Give the platform's account the right that is named (docs/operators.md), or lift what forbids it."),
    ),
    _row(
        r"Apply failed with \d+ conflict|field conflict",
        _needs("Let one owner have the field: remove it elsewhere, or force the change (enablePatchForce)."),
    ),
    _row(
        r" is invalid: |admission webhook \"[^\"]*\" denied|failed to create typed patch object|strict decoding error"
        r"|unknown field \"",
        _needs("Change what is asked for; the API server says what it takes."),
    ),
)


def refuses_input(text: str) -> bool:
    """Whether a provider's Check refuses the inputs; the same ones are refused the next time too."""
    return _CHECK.search(text) is not None


def without_values(text: str) -> str:
    """The same without the rest of long input values, which the engine prints in front of what is wrong with them."""
    return _VALUE.sub(r"\1\2 ...\3", text)


def meaning(text: str, told: str) -> ClawstackError | None:
    """The error that `text`, an official provider's words in full, speaks of; its sentence is `told`. None: not known."""
    code = printed_code(text)
    known = refused(code, told) if code is not None else None
    if known is None:
        known = next((row.make(told) for row in _KUBERNETES if row.words.search(text)), None)
    return None if known is None else as_asked_by_the_platform(known)
