"""What `/openapi.json` promises is what is sent: schemathesis draws requests from it and judges every answer by it."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from clawstack.crypto import MasterKey
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from clawstack.tokens import TokenKind
from services.business.access.service import issue_token
from services.kit.database.connection import Database
from services.run.factory import build_parts, build_platform, create_app
from services.run.roles import Role
from services.web.api import health
from tests.waiting import patient

_EXAMPLES = 12
"""Of each of some thirty operations: half a minute in all."""
_CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    token: str
    known: dict[str, str]
    """Path parameters of things that are there."""
    document: dict[str, Any]


@pytest.fixture
def served(postgres_url: str, data_dir: Path, master_key: MasterKey) -> Iterator[Served]:
    """The platform's whole API in a thread of its own, with one tenant that nobody builds."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    chosen = Settings(_env_file=None, data_dir=data_dir, database_url=postgres_url, port=port)
    platform = build_platform(chosen, database_url=postgres_url, redactor=Redactor())
    app = create_app(platform, build_parts(platform, [Role.API]))
    app.include_router(health.router)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none"))
    thread = threading.Thread(target=asyncio.run, args=(_serve(server, listener, platform.database),), daemon=True)
    thread.start()
    try:
        yield _filled(f"http://127.0.0.1:{port}", asyncio.run(_operator(postgres_url)))
    finally:
        server.should_exit = True
        thread.join(patient(20))


async def _serve(server: uvicorn.Server, listener: socket.socket, database: Database) -> None:
    await server.serve(sockets=[listener])
    await database.close()


async def _operator(url: str) -> str:
    database = Database(url)
    async with database.transaction() as session:
        token = await issue_token(session, TokenKind.OPERATOR, "contract", ("admin",))
    await database.close()
    return token.reveal()


def _filled(url: str, token: str) -> Served:
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=patient(30)) as http:
        made = http.post("/v1/tenants", json={"plan": "starter", "bundle": "general"})
        assert made.status_code == 201, made.text
        document = http.get("/openapi.json").json()
    return Served(url=url, token=token, known={"slug": made.json()["slug"]}, document=document)


def test_every_answer_is_one_that_is_described(served: Served) -> None:
    schema = schemathesis.openapi.from_dict(served.document)
    for found in schema.get_all_operations():
        _judge(found.ok(), served)


def _requests(operation: schemathesis.APIOperation) -> st.SearchStrategy[schemathesis.Case]:
    """Sound ones, and such as break the description."""
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not operation.body and not any((operation.query, operation.path_parameters, operation.headers)):
        return positive
    return st.one_of(positive, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def _judge(operation: schemathesis.APIOperation, served: Served) -> None:
    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_requests(operation), known=st.booleans(), with_token=st.sampled_from([True, True, True, False]))
    def judge(case: schemathesis.Case, *, known: bool, with_token: bool) -> None:
        if known:
            case.path_parameters.update(
                {name: served.known[name] for name in case.path_parameters if name in served.known}
            )
        headers = {"authorization": f"Bearer {served.token}"} if with_token else {}
        answer = case.call(base_url=served.url, headers=headers, timeout=patient(20))
        case.validate_response(answer, checks=_CHECKS)

    judge()


def test_nothing_is_without_words(served: Served) -> None:
    schemas = served.document["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description")
    ]
    parameters = [
        f"{method} {path}: {parameter['name']}"
        for path, methods in served.document["paths"].items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert (silent, parameters) == ([], [])


def test_refusals_have_the_body_that_is_sent(served: Served) -> None:
    assert "HTTPValidationError" not in served.document["components"]["schemas"]
    refused = served.document["components"]["responses"]
    bodies = {answer["content"]["application/json"]["schema"]["$ref"] for answer in refused.values()}
    assert bodies == {"#/components/schemas/Error"}
