"""Looks at cells themselves, past Pulumi's state: today at process cells, through their supervisor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from services.provisioner.borders import Sighting
from services.provisioner.vocabulary import Observed
from tenants.process import supervision
from tenants.process.supervision import GatewayState, GatewayStatus, Orphan

_MEANING: Final = {
    GatewayState.RUNNING: Observed.RUNNING,
    GatewayState.STARTING: Observed.UNKNOWN,
    GatewayState.STOPPED: Observed.SUSPENDED,
    GatewayState.NEEDS_ATTENTION: Observed.BROKEN,
    GatewayState.DOWN: Observed.BROKEN,
}


class ProcessProbe:
    """Cells of this machine. The supervisor restarts what crashes; what it cannot mend shows here."""

    def __init__(self, *, supervisor: Path) -> None:
        """`supervisor`: the folder that all process cells of this platform share."""
        self._supervisor = supervisor

    async def look(self, slug: str, *, port: int) -> Sighting:
        """What the gateway does right now; `port` is known to the supervisor itself."""
        del port
        status = await asyncio.to_thread(supervision.status, self._supervisor, slug)
        return Sighting(observed=_MEANING[status.state], reason=_reason(status))

    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        """Gateways that belong to none of the slugs in `known`."""
        return await asyncio.to_thread(supervision.orphans, self._supervisor, known)


def _reason(status: GatewayStatus) -> str | None:
    match status.state:
        case GatewayState.RUNNING:
            return None
        case GatewayState.STARTING:
            after = f" after: {status.last_exit}" if status.last_exit else ""
            return f"The gateway is starting (start {status.starts}){after}."
        case GatewayState.STOPPED:
            return f"The gateway is stopped{f': {status.last_exit}' if status.last_exit else ''}."
        case GatewayState.NEEDS_ATTENTION:
            return f"The gateway refuses to start: {status.last_exit or 'no reason was given'}."
        case GatewayState.DOWN:
            return "The supervisor of the gateways is not running."
