"""SQL over what surrounds the objects: idempotency keys, the request log, settings changed at run time."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.model.values import DAY, Json
from sandbox.stripe.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A stored answer to an idempotent request."""

    endpoint: str
    fingerprint: str
    status: int
    body: Json
    request: str


class IdempotencyKeys:
    """Answers by Idempotency-Key; a key is forgotten a day after its first use, as Stripe promises at least."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, key: str, now: int) -> Answer | None:
        """What was answered, or None."""
        sql = "SELECT * FROM idempotency WHERE key = ? AND created > ?"
        row = self.database.connection.execute(sql, [key, now - DAY]).fetchone()
        if row is None:
            return None
        return Answer(
            endpoint=row["endpoint"],
            fingerprint=row["fingerprint"],
            status=row["status"],
            body=json.loads(row["body"]),
            request=row["request"],
        )

    def put(self, key: str, answer: Answer, now: int) -> None:
        """Remembers and forgets what is older than a day."""
        self.database.connection.execute("DELETE FROM idempotency WHERE created <= ?", [now - DAY])
        self.database.connection.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
            [key, answer.endpoint, answer.fingerprint, answer.status, json.dumps(answer.body), answer.request, now],
        )


class RequestLog:
    """Requests received, newest kept: what a test reads to see how it was called."""

    def __init__(self, database: Database, keep: int) -> None:
        self.database = database
        self.keep = keep

    def add(
        self,
        *,
        request: str,
        method: str,
        path: str,
        params: Json,
        key: str | None,
        status: int,
        error: str | None,
        note: str | None,
    ) -> None:
        """`note` names a misbehaviour that was ordered, so that the log explains itself."""
        cursor = self.database.connection.execute(
            "INSERT INTO requests (id, at, method, path, params, idempotency_key, status, error, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [request, time.time(), method, path, json.dumps(params), key, status, error, note],
        )
        self.database.connection.execute("DELETE FROM requests WHERE seq <= ?", [(cursor.lastrowid or 0) - self.keep])

    def latest(self, limit: int) -> list[Json]:
        """Newest first."""
        rows = self.database.connection.execute("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", [limit])
        return [{**dict(row), "params": json.loads(row["params"])} for row in rows]

    def clear(self) -> None:
        """Forgets all."""
        self.database.connection.execute("DELETE FROM requests")


class Settings:
    """Named JSON values that survive a restart: clock offset, hostile mode, dunning."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or `default`."""
        row = self.database.connection.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()
        return json.loads(row["value"]) if row else default

    def put(self, name: str, value: Any) -> None:
        """Replaces the value."""
        sql = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"
        self.database.connection.execute(sql, [name, json.dumps(value)])
