"""Routers are shared by every application of a process; what their endpoints use comes from one application alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from prometheus_client import Counter
from starlette.requests import HTTPConnection

from clawstack.settings import Settings
from services.business.billing.service import Billing
from services.kit.context import Platform
from services.kit.http.intake import BoundedRoute
from services.kit.http.provided import find, provide, provided
from services.kit.limits.addresses import AddressLimiter
from services.run.context import ProcessPlatform
from services.run.factory import PARTS, build_parts, build_platform, create_app
from services.run.roles import Role
from services.web.api import health

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def platform(tmp_path: Path) -> ProcessPlatform:
    """A platform that never opens a connection."""
    return build_platform(Settings(_env_file=None, data_dir=tmp_path, database_url=NOWHERE), database_url=NOWHERE)


def asked(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Every dependency on what a part provides, however deep."""
    if getattr(dependant.call, "__qualname__", None) == provided(Platform).dependency.__qualname__:
        assert dependant.call is not None
        yield dependant.call
    for needed in dependant.dependencies:
        yield from asked(needed)


async def test_the_parts_of_the_api_provide_all_that_its_endpoints_ask_for(platform: ProcessPlatform) -> None:
    parts = build_parts(platform, [Role.API])
    app = create_app(platform, parts)
    routers = [*(router for part in parts for router in part.routers), health.router]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    found = [
        await call(HTTPConnection({"type": "http", "app": app})) for route in routes for call in asked(route.dependant)
    ]
    assert {type(thing).__name__ for thing in found} == {
        "ProcessPlatform", "Billing", "Onboarding", "Drivers", "Pages", "EventWatch", "StreamSlots",
    }  # fmt: skip
    assert find(HTTPConnection({"type": "http", "app": app}), AddressLimiter)  # asked before a body is read
    assert {route.path for route in routes if not isinstance(route, BoundedRoute)} == set()


def test_what_no_part_provides_or_two_do_is_not_found() -> None:
    app = FastAPI()
    connection = HTTPConnection({"type": "http", "app": app})
    provide(app, ("one", 2))
    assert find(connection, str) == "one"
    with pytest.raises(LookupError, match="provides 0 of Billing, not one"):
        find(connection, Billing)
    provide(app, ("one", "another"))
    with pytest.raises(LookupError, match="provides 2 of str, not one"):
        find(connection, str)


async def test_two_applications_of_one_process_share_nothing(tmp_path: Path) -> None:
    seen = {}
    apps = []
    for name in ("first", "second"):
        platform = build_platform(
            Settings(_env_file=None, data_dir=tmp_path / name, database_url=NOWHERE), database_url=NOWHERE
        )
        Counter(f"only_{name}", "Of one application.", registry=platform.metrics)
        app = create_app(platform, ())
        app.include_router(health.router)
        apps.append((name, app))
    for name, app in apps:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://platform") as client:
            seen[name] = (await client.get("/metrics")).text
    assert "only_first" in seen["first"]
    assert "only_second" not in seen["first"]
    assert "only_second" in seen["second"]
    assert "only_first" not in seen["second"]


def test_a_process_has_one_way_to_stripe(platform: ProcessPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        "services.business.billing.stripe_access.StripeAccess.__init__", lambda access, _: made.append(access)
    )
    build_parts(platform, [Role.API])
    build_parts(platform, frozenset(Role) - {Role.API})
    assert made == [platform.stripe]


def test_every_part_belongs_to_one_role() -> None:
    modules = [module for role in Role for module in PARTS[role]]
    assert sorted(modules) == sorted(set(modules))
    folder = Path(build_parts.__code__.co_filename).parent / "parts"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(modules)
