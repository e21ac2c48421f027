"""The provisioner's jobs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import procrastinate

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.business.tenants.desired import RECONCILE, request_reconcile
from services.cells.provisioner.reconcile import Reconciler
from services.kit.database.base import utcnow
from services.kit.database.connection import Database

log = get_logger(__name__)

_AFTER_OUTAGE: Final = timedelta(seconds=2)


def register(app: procrastinate.App, *, reconciler: Callable[[], Reconciler], database: Database) -> None:
    """Declare `provisioner.reconcile`. The job itself never fails for ordinary reasons: what failed is in the rows.

    `reconciler` is made when the first job runs: an API process declares jobs and runs none.
    """

    @app.task(name=RECONCILE)
    async def reconcile(tenant_id: str) -> None:
        try:
            await reconciler().reconcile(uuid.UUID(tenant_id))
        except TemporaryError as error:
            # Before or after an operation the database was away; the sweep would notice, but this is sooner.
            log.warning("reconcile_postponed", tenant=tenant_id, reason=error.message)
            async with database.transaction() as session:
                await request_reconcile(session, uuid.UUID(tenant_id), at=utcnow() + _AFTER_OUTAGE)
