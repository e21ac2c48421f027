"""SQL over the account's file: objects, events, idempotency keys, the request log, settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.model.values import Json
from sandbox.stripe.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which part of a listing: newest first, as Stripe lists."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """`field` (a JSON path without `$.`) compared by `operator` with `value`; operator `in` takes a list."""

    field: str
    operator: str
    value: Any

    def sql(self) -> tuple[str, list[Any]]:
        """A WHERE term over the column `body` and its arguments."""
        path = f"json_extract(body, '$.{self.field}')"
        if self.operator == "in":
            return f"{path} IN ({','.join('?' * len(self.value))})", list(self.value)
        return f"{path} {self.operator} ?", [self.value]


class Objects:
    """Every Stripe object by id."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, identifier: str) -> Json | None:
        """The object, or None."""
        row = self.database.connection.execute("SELECT body FROM objects WHERE id = ?", [identifier]).fetchone()
        return json.loads(row["body"]) if row else None

    def put(self, body: Json, *, due: int | None = None, kind: str | None = None) -> None:
        """Inserts or replaces. `due`: when the object wants attention again; `kind` if not its `object`."""
        self.database.connection.execute(
            "INSERT INTO objects (id, kind, body, due) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, due = excluded.due, kind = excluded.kind",
            [body["id"], kind or body["object"], json.dumps(body), due],
        )

    def delete(self, identifier: str) -> None:
        """Forgets the object."""
        self.database.connection.execute("DELETE FROM objects WHERE id = ?", [identifier])

    def find(self, kind: str, conditions: list[Condition] | None = None, *, page: Page) -> tuple[list[Json], bool]:
        """One page of `kind` and whether there are more."""
        return _page(self.database, "objects", [Condition(field="object", operator="=", value=kind)], conditions, page)

    def every(self, kind: str, *conditions: Condition) -> list[Json]:
        """All that fit, oldest first; for the engine, whose sets are small."""
        terms = [condition.sql() for condition in conditions]
        where = "".join(f" AND {term}" for term, _ in terms)
        arguments = [kind, *(value for _, values in terms for value in values)]
        sql = f"SELECT body FROM objects WHERE kind = ?{where} ORDER BY seq"  # noqa: S608 - terms are made in Condition
        return [json.loads(row["body"]) for row in self.database.connection.execute(sql, arguments)]

    def next_due(self, until: int) -> tuple[Json, int] | None:
        """The object that is due first, not after `until`, and its moment."""
        sql = "SELECT body, due FROM objects WHERE due <= ? ORDER BY due, seq LIMIT 1"
        row = self.database.connection.execute(sql, [until]).fetchone()
        return (json.loads(row["body"]), row["due"]) if row else None


class Events:
    """What happened, newest kept."""

    def __init__(self, database: Database, keep: int) -> None:
        self.database = database
        self.keep = keep

    def add(self, body: Json) -> None:
        """Appends and lets go of the oldest."""
        cursor = self.database.connection.execute(
            "INSERT INTO events (id, type, created, body) VALUES (?, ?, ?, ?)",
            [body["id"], body["type"], body["created"], json.dumps(body)],
        )
        self.database.connection.execute("DELETE FROM events WHERE seq <= ?", [(cursor.lastrowid or 0) - self.keep])

    def get(self, identifier: str) -> Json | None:
        """The event, or None."""
        row = self.database.connection.execute("SELECT body FROM events WHERE id = ?", [identifier]).fetchone()
        return json.loads(row["body"]) if row else None

    def find(self, conditions: list[Condition], *, page: Page) -> tuple[list[Json], bool]:
        """One page and whether there are more."""
        return _page(self.database, "events", [], conditions, page)


def _page(
    database: Database, table: str, fixed: list[Condition], conditions: list[Condition] | None, page: Page
) -> tuple[list[Json], bool]:
    terms, arguments = ["1"], []
    if fixed:
        terms.append("kind = ?")
        arguments.append(fixed[0].value)
    for condition in conditions or []:
        term, values = condition.sql()
        terms.append(term)
        arguments.extend(values)
    order = "DESC"
    cursor = page.starting_after or page.ending_before
    if cursor:
        terms.append(f"seq {'<' if page.starting_after else '>'} (SELECT seq FROM {table} WHERE id = ?)")  # noqa: S608
        arguments.append(cursor)
        order = "DESC" if page.starting_after else "ASC"
    sql = f"SELECT body FROM {table} WHERE {' AND '.join(terms)} ORDER BY seq {order} LIMIT ?"  # noqa: S608
    rows = [json.loads(row["body"]) for row in database.connection.execute(sql, [*arguments, page.limit + 1])]
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return (rows if order == "DESC" else rows[::-1]), more
