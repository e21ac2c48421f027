"""Forgetting: a bounded job that removes what nobody needs any more. Spans are in `schemas.Retention`."""

from __future__ import annotations

from typing import Final

from clawstack.logs import get_logger
from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.traffic.telegram.model.schemas import Retention, SeenKind
from services.traffic.telegram.repository import bots, replies, seen, updates

log = get_logger(__name__)

_BATCH: Final = 1000
_MOST_BATCHES: Final = 50


async def prune(database: Database, retention: Retention) -> int:
    """Remove at most 50 batches of 1000 rows, each in a short transaction of its own; returns how many rows."""
    total = 0
    for _ in range(_MOST_BATCHES):
        removed = await _prune_batch(database, retention)
        total += removed
        if removed == 0:
            break
    if total:
        log.info("telegram_pruned", rows=total)
    return total


async def _prune_batch(database: Database, retention: Retention) -> int:
    now = utcnow()
    spans = (
        (SeenKind.CALLBACK, retention.callbacks),
        (SeenKind.POLL, retention.polls),
        (SeenKind.PATH, retention.paths),
        (SeenKind.FILE, retention.files),
    )
    async with database.transaction() as session:
        removed = await updates.expire(session, received_before=now - retention.waiting_updates, limit=_BATCH)
        removed += await updates.prune(session, received_before=now - retention.finished_updates, limit=_BATCH)
        removed += await replies.prune(session, created_before=now - retention.replies, limit=_BATCH)
        removed += await bots.forget_tokens(session, revoked_before=now - retention.tokens, limit=_BATCH)
        for kind, span in spans:
            removed += await seen.prune(session, kind, seen_before=now - span, limit=_BATCH)
    return removed
