"""Models and migrations agree, and a second run changes nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from services.kit.database.connection import driver_url
from services.tables import migrate


@pytest.fixture
def connection(postgres_url):
    engine = create_engine(driver_url(postgres_url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_migrations_make_exactly_the_tables_of_the_models(connection):
    assert migrate.differences(connection) == []
    assert migrate.current_revision(connection) == migrate.head_revision()


def test_a_missing_column_is_noticed(connection):
    connection.execute(text("ALTER TABLE tenants DROP COLUMN state_reason"))
    assert "state_reason" in str(migrate.differences(connection))


def test_upgrading_twice_keeps_the_revision(postgres_url):
    assert migrate.upgrade(postgres_url) == migrate.head_revision()


def test_partial_indexes_are_partial(connection):
    query = text("SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_operations_one_running'")
    assert "WHERE (status = 'running'" in connection.execute(query).scalar_one()
