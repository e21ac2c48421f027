"""SQL is written in repositories: whoever reads a service reads decisions, whoever looks for a query knows the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Say what a session or an error is; nobody queries with them.
TYPES_ONLY = {"sqlalchemy.ext.asyncio", "sqlalchemy.exc", "sqlalchemy.engine", "sqlalchemy.make_url"}
QUERIES = {"execute", "scalar", "scalars", "stream", "stream_scalars", "get", "add", "add_all", "delete", "flush", "merge", "refresh"}  # fmt: skip

#: Folders and modules that hold SQL besides `repository`, each with its reason.
AT_HOME = {
    "services/tables/": "the rows themselves, and the migrations",
    "services/kit/database/": "connections and column types: what repositories are written with",
    "services/kit/limits/tables.py": "limits' own rows, beside them in the kit",
    "services/kit/vault/tables.py": "the vault's own rows, beside it in the kit",
    "services/kit/jobs/queue.py": "the repository of jobs: statements on Procrastinate's table, pinned by our migration",
    "services/business/notifications/outbox.py": "the one statement that other nouns use, in their transactions",
    "services/business/tenants/operations.py": "the repository of operations, the second kind of row of its noun",
}


def _is_at_home(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return file == "repository.py" or folder.endswith("/repository") or any(name.startswith(place) for place in AT_HOME)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "services").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not _is_at_home(name):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _sql(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "sqlalchemy":
                names = {module, *(f"{module}.{alias.name}" for alias in node.names)}
                if not names & TYPES_ONLY:
                    yield f"line {node.lineno}: imports {', '.join(alias.name for alias in node.names)}"
            case ast.Import(names=names) if any(alias.name.split(".")[0] == "sqlalchemy" for alias in names):
                yield f"line {node.lineno}: imports sqlalchemy"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr=attr)) if attr in QUERIES:
                yield f"line {node.lineno}: session.{attr}"


def test_no_query_is_written_outside_a_repository() -> None:
    found = [f"{name} {what}" for name, tree in _modules() for what in _sql(tree)]
    assert not found, "move them to the noun's repository:\n" + "\n".join(found)


def test_every_exception_is_still_there_and_still_needed() -> None:
    for place in AT_HOME:
        paths = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
        assert any(list(_sql(ast.parse(path.read_text(encoding="utf-8")))) for path in paths), place


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy import select",
        "from sqlalchemy.dialects.postgresql import insert",
        "import sqlalchemy as sa",
        "async def f(session): await session.get(Tenant, 1)",
    ],
)
def test_what_writes_a_query_is_seen(line: str) -> None:
    assert list(_sql(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy.ext.asyncio import AsyncSession",
        "from sqlalchemy.exc import SQLAlchemyError",
        "from sqlalchemy import make_url",
        "async def f(session): await session.begin_nested()",
    ],
)
def test_what_only_names_a_session_or_an_error_is_let_be(line: str) -> None:
    assert not list(_sql(ast.parse(line)))
