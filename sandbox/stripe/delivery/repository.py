"""SQL over deliveries: every event to every endpoint, with each attempt made."""

from __future__ import annotations

import json
import time

from sandbox.stripe.delivery.hostile import Planned
from sandbox.stripe.model.values import Json, new_id
from sandbox.stripe.store.database import Database


class Deliveries:
    """States: pending -> delivered | failed (schedule exhausted) | refused (a flawed copy was turned away) | dropped."""

    def __init__(self, database: Database, keep: int) -> None:
        self.database = database
        self.keep = keep

    def add(self, planned: Planned, event_type: str) -> str:
        """Stores one; a dropped one is stored too, so that a test can see it."""
        identifier = new_id("del", 16)
        state = "dropped" if planned.flaw == "dropped" else "pending"
        cursor = self.database.connection.execute(
            "INSERT INTO deliveries (id, event, event_type, endpoint, flaw, state, next_at, attempts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, '[]')",
            [identifier, planned.event, event_type, planned.endpoint, planned.flaw, state, time.time() + planned.wait],
        )
        sql = "DELETE FROM deliveries WHERE seq <= ? AND state != 'pending'"
        self.database.connection.execute(sql, [(cursor.lastrowid or 0) - self.keep])
        return identifier

    def due(self, now: float, limit: int, busy: set[str]) -> list[Json]:
        """Pending ones whose moment has come, oldest moment first, without those in flight."""
        sql = "SELECT * FROM deliveries WHERE state = 'pending' AND next_at <= ? ORDER BY next_at, seq LIMIT ?"
        rows = self.database.connection.execute(sql, [now, limit + len(busy)])
        return [_row(row) for row in rows if row["id"] not in busy][:limit]

    def next_moment(self) -> float | None:
        """When the next pending one is due."""
        sql = "SELECT min(next_at) AS moment FROM deliveries WHERE state = 'pending'"
        moment: float | None = self.database.connection.execute(sql).fetchone()["moment"]
        return moment

    def pending(self) -> int:
        """How many are still to be delivered."""
        sql = "SELECT count(*) AS n FROM deliveries WHERE state = 'pending'"
        return int(self.database.connection.execute(sql).fetchone()["n"])

    def hurry(self) -> None:
        """Lets every pending one be due now."""
        self.database.connection.execute("UPDATE deliveries SET next_at = 0 WHERE state = 'pending'")

    def record(self, delivery: Json, attempt: Json, *, state: str, next_at: float) -> None:
        """Appends an attempt."""
        self.database.connection.execute(
            "UPDATE deliveries SET attempts = ?, state = ?, next_at = ? WHERE id = ?",
            [json.dumps([*delivery["attempts"], attempt]), state, next_at, delivery["id"]],
        )

    def latest(self, limit: int, *, event: str | None = None, state: str | None = None) -> list[Json]:
        """Newest first."""
        sql = "SELECT * FROM deliveries WHERE (? IS NULL OR event = ?) AND (? IS NULL OR state = ?) ORDER BY seq DESC LIMIT ?"
        rows = self.database.connection.execute(sql, [event, event, state, state, limit])
        return [_row(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many are in which state."""
        sql = "SELECT state, count(*) AS n FROM deliveries GROUP BY state"
        return {row["state"]: row["n"] for row in self.database.connection.execute(sql)}


def _row(row: object) -> Json:
    body: Json = dict(row)  # type: ignore[call-overload]
    return {**body, "attempts": json.loads(body["attempts"])}
