"""What every stand-in is told at start."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.frame.values import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class StandInConfig(ABC):
    """Settings that all stand-ins have.

    `data` is a folder for the state that survives a restart, made when absent; None: nothing is kept. `now` gives Unix seconds.
    """

    data: Path | None = None
    now: Callable[[], float] = time.time

    @abstractmethod
    def addresses(self, root: str) -> Json:
        """Return what the ready line says of a stand-in that is reached at `root`, made-up keys included."""
