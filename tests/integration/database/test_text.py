"""What PostgreSQL cannot hold is the sender's to mend, on both drivers and in whatever a statement carries it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from clawstack.errors import InvalidInputError
from services.kit.database.connection import Database
from services.kit.database.hot_path import Connections

Run = Callable[[object], Awaitable[object]]


@pytest.fixture(params=["session", "hot path"])
def run(request: pytest.FixtureRequest, database: Database) -> Run:
    async def in_session(value: object) -> object:
        async with database.transaction() as session:
            return (await session.execute(text("SELECT :value"), {"value": value})).scalar()

    async def on_hot_path(value: object) -> object:
        async with Connections(database.url, size=1) as connections:
            return await connections.row("SELECT %(value)s::text", {"value": value})

    return in_session if request.param == "session" else on_hot_path


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"], ids=["nul", "surrogate"])
async def test_text_that_cannot_be_stored_is_invalid_input(run: Run, value: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await run(value)
    assert caught.value.code == "unstorable_text"
    assert value not in caught.value.sentence()


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"], ids=["nul", "surrogate"])
async def test_also_within_json(database: Database, value: str) -> None:
    statement = text("SELECT :value").bindparams(bindparam("value", type_=JSONB()))
    with pytest.raises(InvalidInputError):
        async with database.transaction() as session:
            await session.execute(statement, {"value": {"deep": [value]}})


async def test_other_faults_of_data_stay_what_they_are(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.transaction() as session:
            await session.execute(text("SELECT 1/0"))
