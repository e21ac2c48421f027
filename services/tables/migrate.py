"""Bring a database to this version's schema: `clawstack db upgrade`, and every start of the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from services.kit.database.connection import driver_url
from services.tables.models import metadata

_LOCK = 7_202_611_210  # any number that no other part of the platform uses for an advisory lock


def config(connection: Connection) -> Config:
    """Alembic's configuration for this connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(url: str) -> str:
    """Apply what is missing and return the revision reached. Processes that start at once wait for each other."""
    engine = create_engine(driver_url(url))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
            try:
                command.upgrade(config(connection), "head")
                connection.commit()
                return current_revision(connection) or "none"
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    finally:
        engine.dispose()


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The revision that this version of the code expects."""
    return ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()


def differences(connection: Connection) -> list[Any]:
    """What the tables in code have and the database lacks, or the other way round; empty when they agree."""
    context = MigrationContext.configure(connection, opts={"include_name": is_ours, "compare_type": True})
    return list(compare_metadata(context, metadata))


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """False for Procrastinate's tables, whose schema comes with its own release."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))
