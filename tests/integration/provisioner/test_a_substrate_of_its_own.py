"""A substrate that the product has never heard of: both of its halves are in this file, and a cell runs on it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pulumi
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import override

from clawstack.settings import Settings
from clawstack.tokens import TokenKind
from clawstack.vocabulary import Observed
from services.business.access.service import issue_token
from services.cells.health.sweep import HealthSweep
from services.cells.provisioner.machine import Machine
from services.cells.provisioner.pack_config import pack_config
from services.cells.provisioner.reconcile import Reconciler
from services.cells.substrates.base.live import LiveSubstrate
from services.cells.substrates.base.protocol import CellLook, Orphan, SubstrateDriver, Tell
from services.cells.substrates.registry import LIVE, check_substrates
from services.cells.workers.metrics import OperationMetrics
from services.kit.database.connection import Database
from services.kit.vault.service import Vault
from services.run.factory import create_app
from services.run.parts.provisioner import create_part, create_reconciler, program_maker
from services.tables.tenants import Tenant
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.repository.bots import CellAddress
from services.traffic.telegram.virtual.targets import judge_target
from tenants.backups.archive import Archive
from tenants.builder import DeclaredCell, SubstrateBuilder
from tenants.spec import CellSpec
from tenants.substrates.registry import SUBSTRATES
from tenants.substrates.substrate import Installation, Substrate
from tests.integration.provisioner.rig import Rig

NAME = "shelf"


class ShelfCell(pulumi.CustomResource):
    """A file that the probe plugin keeps."""

    endpoint: pulumi.Output[str]

    def __init__(self, name: str, plan: dict[str, Any]) -> None:
        super().__init__("probe:index:Cell", name, {**plan, "endpoint": None})
        self.state_directory = pulumi.Output.from_input(f"{plan['folder']}/{plan['slug']}")
        self.openclaw_version = pulumi.Output.from_input("2026.9.6")
        self.pid = pulumi.Output.from_input(0)


class ShelfBuilder(SubstrateBuilder[dict[str, Any]]):
    def __init__(self, folder: Path, decided: list[dict[str, Any]]) -> None:
        self._folder, self._decided = folder, decided

    @override
    def build(self, spec: CellSpec, *, today: date) -> dict[str, Any]:
        plan = {
            "folder": str(self._folder),
            "slug": spec.slug,
            "desired": spec.desired.value,
            "nonce": spec.restart_nonce,
            "account": spec.account or "none",
            "llm": spec.endpoints.llm_base_url,
            "telegram": spec.endpoints.telegram_api_root,
            "labels": spec.labels,
        }
        self._decided.append(plan)
        return plan

    @override
    def component(self, plan: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> DeclaredCell:
        return ShelfCell(plan["slug"], plan)


class Shelf(Substrate):
    """The stacks' half."""

    name = NAME
    remedy = "To use the shelf, put one up."

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.decided: list[dict[str, Any]] = []

    @override
    def is_configured(self, settings: Settings) -> bool:
        return self._folder.exists()

    @override
    def builder(self, installation: Installation) -> SubstrateBuilder[Any]:
        return ShelfBuilder(self._folder, self.decided)

    @override
    def platform_url(self, settings: Settings) -> str:
        return "http://ladder:1"

    @override
    def router_url(self, settings: Settings) -> str:
        return "http://ladder:2"

    @override
    def is_own_host(self, host: str, slug: str) -> bool:
        return host == f"{slug}.shelf"

    @override
    def policy_options(self, settings: Settings) -> Mapping[str, Mapping[str, Any]]:
        return {"shelf-forbid-dust": {"grams": 0}}


class ShelfDriver(SubstrateDriver):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @override
    async def prepare(self, spec: CellSpec, *, tell: Tell) -> None:
        self.calls.append("prepare")

    @override
    async def settle(self, spec: CellSpec, *, tell: Tell) -> None:
        self.calls.append("settle")

    @override
    async def release(self, spec: CellSpec, *, tell: Tell) -> None:
        self.calls.append("release")

    @override
    async def confirm_gone(self, slug: str, *, tell: Tell) -> None:
        self.calls.append("confirm_gone")

    @override
    async def backup(self, spec: CellSpec, *, tell: Tell) -> None:
        """Not asked for here."""

    @override
    async def restore(self, spec: CellSpec, archive: Archive, *, tell: Tell) -> None:
        """Not asked for here."""

    @override
    async def look(self, slug: str, *, port: int) -> CellLook:
        self.calls.append("look")
        return CellLook(observed=Observed.RUNNING, where="third board")

    @override
    async def fingerprints(self, slug: str) -> Mapping[str, str]:
        return {}

    @override
    async def logs(self, slug: str, *, lines: int) -> list[str]:
        return [f"{slug} stands on the shelf"]

    @override
    async def follow_logs(self, slug: str, *, lines: int) -> AsyncIterator[str]:
        for line in await self.logs(slug, lines=lines):
            yield line

    @override
    async def orphans(self, known: frozenset[str]) -> list[Orphan]:
        return [Orphan(slug="gnome", what="a gnome on the shelf")]

    @override
    async def aclose(self) -> None:
        self.calls.append("aclose")


class LiveShelf(LiveSubstrate):
    """The living half."""

    name = NAME

    def __init__(self) -> None:
        self.made = ShelfDriver()

    @override
    def driver(self, installation: Installation, database: Database) -> SubstrateDriver:
        return self.made

    @override
    def secrets(self) -> tuple[str, ...]:
        return ("shelf_key",)

    @override
    async def equip(
        self, session: AsyncSession, spec: CellSpec, *, tenant_id: uuid.UUID, vault: Vault, installation: Installation
    ) -> CellSpec:
        key = await vault.ensure(session, tenant_id, "shelf_key", lambda: "oak-and-pine")
        return spec.model_copy(update={"restart_nonce": f"{spec.restart_nonce}{key}"})


@pytest.fixture
def shelf(rig: Rig) -> Shelf:
    return Shelf(rig.probe.folder)


@pytest.fixture
def live(rig: Rig, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> LiveShelf:
    """The shelf, entered on both sides and in one plan."""
    living = LiveShelf()
    monkeypatch.setitem(SUBSTRATES, NAME, shelf)
    monkeypatch.setitem(LIVE, NAME, living)
    catalogue = rig.platform.catalogue
    starter = catalogue.plans["starter"].model_copy(update={"substrates": ("process", NAME)})
    plans = {**catalogue.plans, "starter": starter}
    object.__setattr__(rig.platform, "catalogue", catalogue.model_copy(update={"plans": plans}))
    check_substrates(rig.platform.settings, rig.platform.catalogue)
    return living


@pytest.fixture
async def api(rig: Rig, live: LiveShelf) -> AsyncIterator[httpx.AsyncClient]:
    """The platform's API as its operator."""
    async with rig.platform.database.transaction() as session:
        token = await issue_token(session, TokenKind.OPERATOR, "test", ("tenants:read", "tenants:write"))
    app = create_app(rig.platform, [create_part(rig.platform)])
    headers = {"authorization": f"Bearer {token.reveal()}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform", headers=headers) as client:
        yield client


def reconciler_of(rig: Rig) -> Reconciler:
    """As the worker's, with the program that the registry finds for each cell."""
    return create_reconciler(
        platform=rig.platform,
        neighbours=rig.seen.neighbours(),
        make_program=program_maker(rig.platform.settings),
        machine=Machine(rig.probe.tools()),
        metrics=OperationMetrics(),
    )


async def test_a_cell_lives_on_it_from_the_first_wish_to_the_last(
    rig: Rig, shelf: Shelf, live: LiveShelf, api: httpx.AsyncClient
) -> None:
    body = {"plan": "starter", "bundle": "general", "answers": {"preferred_name": "Emma"}, "substrate": NAME}
    created = await api.post("/v1/tenants", json=body)
    assert (created.status_code, created.json()["substrate"]) == (201, NAME), created.text
    slug = created.json()["slug"]
    async with rig.platform.database.transaction() as session:
        tenant = (await session.scalars(select(Tenant).where(Tenant.slug == slug))).one()
    await reconciler_of(rig).reconcile(tenant.id)

    assert (await rig.tenant(tenant)).state == "healthy"
    assert live.made.calls == ["prepare", "settle"]
    assert rig.probe.cell(slug) == {"desired": "running", "nonce": "oak-and-pine"}
    plan = shelf.decided[-1]
    assert (plan["slug"], plan["account"]) == (slug, "none")
    assert (plan["llm"], plan["telegram"]) == ("http://ladder:1/llm/v1", "http://ladder:2/telegram")
    assert plan["labels"]["clawstack.dev/substrate"] == NAME
    logs = await api.get(f"/v1/tenants/{slug}/logs")
    assert logs.json()["lines"] == [f"{slug} stands on the shelf"]

    await rig.fetch_jobs()  # the sweep leaves alone what a job will see to
    drivers = rig.platform.drivers
    report = await HealthSweep(
        database=rig.platform.database, probes={name: drivers.of(name) for name in drivers.usable()}
    ).run()
    assert (report.looked_at, report.orphans) == (1, ("gnome",))

    live.made.calls.clear()
    assert (await api.delete(f"/v1/tenants/{slug}")).status_code == 202
    await reconciler_of(rig).reconcile(tenant.id)
    assert (await rig.tenant(tenant)).state == "deleted"
    assert live.made.calls == ["release", "confirm_gone"]
    assert rig.probe.cell(slug) is None
    async with rig.platform.database.transaction() as session:
        assert await rig.platform.vault.get(session, tenant.id, "shelf_key") is None
        assert await rig.platform.vault.get(session, tenant.id, "backup_key") is not None
    await drivers.aclose()
    assert live.made.calls[-1] == "aclose"


async def test_where_it_is_not_put_up_people_are_told_how(
    rig: Rig, live: LiveShelf, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(SUBSTRATES, NAME, Shelf(tmp_path / "no-wall"))
    refused = await api.post("/v1/tenants", json={"plan": "starter", "bundle": "general", "substrate": NAME})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (422, "substrate_unavailable")
    assert error["remedy"] == "Choose one of: process. To use the shelf, put one up."


async def test_the_router_and_the_policy_pack_ask_it_too(rig: Rig, live: LiveShelf) -> None:
    cell = CellAddress(slug="emma", substrate=NAME, port=21_000)
    own = judge_target("http://emma.shelf/hook", cell, platform_ports=frozenset())
    assert (own.url, own.loopback_port) == ("http://emma.shelf/hook", None)
    for other in ("http://noah.shelf/hook", "http://127.0.0.1:21000/hook"):
        with pytest.raises(BotApiError):
            judge_target(other, cell, platform_ports=frozenset())
    assert pack_config(rig.platform.settings) == {"shelf-forbid-dust": {"grams": 0}}
