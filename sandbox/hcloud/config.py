"""What a stand-in for the Hetzner Cloud is told at start."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The shape of a real token: 64 letters and digits.
DEFAULT_TOKEN: Final = "clawstackSandboxHetznerToken0000000000000000000000000000000000ab"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A token, the project that it opens, and whether it may only read."""

    token: str
    project: str = "default"
    read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HcloudConfig:
    """Settings of the stand-in; all times in seconds.

    `data` is a folder for the state that survives a restart; None keeps all in memory. `action_seconds` is how long an
    action takes unless the control API says otherwise. Limit of requests: Hetzner allows 3,600 an hour and project and
    gives one back each second (docs.hetzner.cloud, rate limiting).
    """

    accesses: tuple[Access, ...] = (Access(token=DEFAULT_TOKEN),)
    data: Path | None = None
    now: Callable[[], float] = time.time
    action_seconds: float = 0.2
    requests_per_hour: int = 3600
