"""What can be known of state that is not on this machine: through the CLI's own words. Pure."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from services.cells.engine.identity import this_host
from services.cells.engine.state_files import LockOwner, owner_is_dead

#: "  s3://...: created by root@host (pid 17) at 2026-11-21T07:46:10Z" (pkg/backend/diy/lock.go)
_LOCK: Final = re.compile(r"created by \S*@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<at>\S+)")
_COUNT: Final = re.compile(r"currently locked by (\d+) lock")


def all_holders_are_dead(refusal: str, *, elsewhere_after: float) -> bool:
    """True when the CLI's refusal names every lock, and each one's process is dead.

    Of processes of this machine that can be proven. Those of other machines (a pod that was replaced has another name)
    count as dead `elsewhere_after` seconds after they took the lock: only call this while holding the cell's lease, and
    with the longest time that an operation may take.
    """
    count = _COUNT.search(refusal)
    owners = [
        LockOwner.of({"hostname": found["host"], "pid": found["pid"], "timestamp": found["at"]})
        for found in _LOCK.finditer(refusal)
    ]
    if count is None or not owners or len(owners) != int(count[1]):
        return False
    latest = time.time() - elsewhere_after
    return all(
        owner is not None and (owner_is_dead(owner) if owner.host == this_host() else owner.since < latest)
        for owner in owners
    )


def deployment_in(exported: str) -> dict[str, Any]:
    """The deployment that `pulumi stack export` prints; empty where it prints none."""
    try:
        state = json.loads(exported)
    except ValueError:
        return {}
    deployment = state.get("deployment") if isinstance(state, dict) else None
    return deployment if isinstance(deployment, dict) else {}


def pending_creates_of(deployment: Mapping[str, Any]) -> list[str]:
    """URNs of creations under way in one deployment."""
    operations = deployment.get("pending_operations") or []
    return [str(item["resource"]["urn"]) for item in operations if item.get("type") == "creating"]
