"""What a look at a cell means: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from clawstack.vocabulary import Desired, Observed
from services.cells.substrates.base.protocol import Sighting

#: A gateway needs 6 to 15 seconds to start, under load more; only after this is "starting" a fault.
PATIENCE: Final = timedelta(minutes=3)


class HealthVerdict(StrEnum):
    """What to write down."""

    FINE = "fine"
    WATCH = "watch"
    """Not as it should be, but it may be mending itself."""
    REPAIR = "repair"
    """It will not mend itself: reconcile, comparing Pulumi's state with reality."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A sighting with what is known around it."""

    desired: Desired
    sighting: Sighting
    unwell_since: datetime | None
    """When it was first seen not to be as it should."""


def with_drift(sighting: Sighting, left: Mapping[str, str]) -> Sighting:
    """The sighting, broken where somebody changed what the last operation `left`. Names what differs."""
    if not sighting.objects or not left or sighting.observed not in {Observed.RUNNING, Observed.SUSPENDED}:
        return sighting
    seen = sighting.objects
    differences = [f"{name.replace('/', ' ', 1)} is gone" for name in sorted(left.keys() - seen.keys())]
    differences += [f"{name.replace('/', ' ', 1)} was added" for name in sorted(seen.keys() - left.keys())]
    differences += [
        f"{name.replace('/', ' ', 1)} was changed"
        for name in sorted(left.keys() & seen.keys())
        if left[name] != seen[name]
    ]
    if not differences:
        return sighting
    reason = f"Somebody changed the cell from outside: {', '.join(differences)}."
    return replace(sighting, observed=Observed.BROKEN, reason=reason)


def judge(look: Look, *, now: datetime) -> HealthVerdict:
    """Whether the cell is as it should be."""
    expected = Observed.RUNNING if look.desired is Desired.RUNNING else Observed.SUSPENDED
    seen = look.sighting.observed
    if seen is expected:
        return HealthVerdict.FINE
    if seen is not Observed.UNKNOWN:
        return HealthVerdict.REPAIR
    since = look.unwell_since or now
    return HealthVerdict.REPAIR if now - since >= PATIENCE else HealthVerdict.WATCH
