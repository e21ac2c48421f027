"""Hostile mode: what goes wrong on purpose between an event and its receiver. Pure; the randomness comes from a seed."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.stripe.model.values import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Hostile:
    """All off by default. Shares are between 0 and 1."""

    duplicate: int = 1
    """How many times every event is delivered."""
    reorder: bool = False
    """Deliveries of the same moment go out in a random order instead of the order they happened in."""
    delay_ms: tuple[int, int] = (0, 0)
    """A random pause before the first attempt."""
    drop: float = 0.0
    """Share of deliveries that never go out: only a sweep of /v1/events can find these events."""
    lose_answer: float = 0.0
    """Share of attempts that reach the receiver but count as failed, so that they are repeated."""
    bad_signature: float = 0.0
    """Share of events that are preceded by a copy signed with a wrong secret; a receiver must refuse it."""
    stale_signature: float = 0.0
    """Share of events that are preceded by a copy whose signature is an hour old."""
    concurrency: int = 1
    """How many attempts run at the same time; above 1 the order is no longer kept."""
    events_lag: int = 0
    """Seconds for which a new event is missing from /v1/events, which is only eventually consistent at Stripe."""
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for numbers out of range."""
        shares = (self.drop, self.lose_answer, self.bad_signature, self.stale_signature)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("drop, lose_answer, bad_signature and stale_signature lie between 0 and 1.")
        if not (1 <= self.duplicate <= 50 and 1 <= self.concurrency <= 50):  # noqa: PLR2004 - bounded on purpose
            raise ValueError("duplicate and concurrency lie between 1 and 50.")
        if not 0 <= self.events_lag <= 86_400:  # noqa: PLR2004 - a day
            raise ValueError("events_lag lies between 0 and 86400 seconds.")
        least, most = self.delay_ms
        if not 0 <= least <= most:
            raise ValueError("delay_ms is a pair of milliseconds: [least, most].")

    @classmethod
    def parse(cls, values: Json) -> Hostile:
        """From a request or the stored settings. Raises ValueError naming an unknown field."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"Unknown hostile setting: {', '.join(sorted(unknown))}. Known: {known}.")
        cleaned: dict[str, Any] = dict(values)
        if "delay_ms" in cleaned:
            least, most = cleaned["delay_ms"]
            cleaned["delay_ms"] = (int(least), int(most))
        return cls(**cleaned)

    def as_json(self) -> Json:
        """What `parse` reads."""
        return {**asdict(self), "delay_ms": list(self.delay_ms)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """One delivery to be: `flaw` is empty, `dropped`, `bad_signature` or `stale_signature`."""

    event: str
    endpoint: str
    wait: float
    flaw: str = ""


def plan(pairs: list[tuple[str, str]], hostile: Hostile, rng: random.Random) -> list[Planned]:
    """Deliveries for (event, endpoint) pairs that belong to one moment, in the order they shall go out."""
    planned = [entry for pair in pairs for entry in _copies(pair, hostile, rng)]
    if hostile.reorder:
        rng.shuffle(planned)
    return planned


def _copies(pair: tuple[str, str], hostile: Hostile, rng: random.Random) -> list[Planned]:
    event, endpoint = pair

    def one(flaw: str = "") -> Planned:
        return Planned(event=event, endpoint=endpoint, wait=rng.uniform(*hostile.delay_ms) / 1000, flaw=flaw)

    copies = [one(flaw) for flaw in ("bad_signature", "stale_signature") if rng.random() < getattr(hostile, flaw)]
    # An event is dropped as a whole: a duplicate that survives would be a delivery after all.
    if rng.random() < hostile.drop:
        return [*copies, one("dropped")]
    return [*copies, *(one() for _ in range(hostile.duplicate))]
