"""Makes a cell's specification out of rows, vault and machine: everything that the program will need, in one value."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack import naming
from clawstack.crypto import KEY_BYTES
from clawstack.plans import Plan
from clawstack.tokens import Token, TokenKind, issue, parse
from clawstack.tools import Tools
from clawstack.vocabulary import Desired
from services.business.tenants.schemas import TenantSettings
from services.cells.context import CellPlatform
from services.cells.engine.run import StackPlace
from services.cells.provisioner import cells
from services.cells.provisioner.borders import Neighbours, RegisterToken
from services.cells.substrates.installation import installation_of
from services.cells.substrates.registry import LIVE
from services.tables.tenants import Cell, Tenant
from tenants.spec import CellSpec, parse_spec
from tenants.substrates.registry import substrate_of
from tenants.substrates.substrate import Substrate

_PASSPHRASE_BYTES: Final = 32
_GATEWAY_TOKEN_BYTES: Final = 32

_SECRETS: Final = ("proxy_token", "channel_token", "gateway_token", "passphrase")


def cell_secrets() -> tuple[str, ...]:
    """Names in a tenant's vault that are erased with the stack, whatever the substrate.

    The backup key is not among them: without it no backup could be restored.
    """
    return (*_SECRETS, *(name for live in LIVE.values() for name in live.secrets()))


@dataclass(frozen=True, kw_only=True)
class AssembledCell:
    """What the engine needs for one cell."""

    spec: CellSpec
    place: StackPlace


class CellAssembler:
    """Reads and, where something is missing yet, makes what a cell consists of. Repeating it gives equal specs."""

    def __init__(self, *, platform: CellPlatform, neighbours: Neighbours) -> None:
        self._platform = platform
        self._neighbours = neighbours

    async def assemble(
        self, session: AsyncSession, tenant: Tenant, tools: Tools, *, substrate: str | None = None
    ) -> AssembledCell:
        """Ports, accounts, tokens and passphrase are taken or made in the session's transaction.

        `substrate`: where the cell is meant to be, if not where the tenant is wanted.

        Raises InvalidInputError when the rows cannot make a working cell, NeedsAttentionError when no port is left.
        """
        cell = await cells.ensure_cell(session, tenant, self._platform.settings)
        place = await self.place_of(session, tenant, cell)
        found = substrate_of(substrate or tenant.substrate, self._platform.settings)
        spec = await LIVE[found.name].equip(
            session,
            await self._spec(session, tenant, cell, tools, found),
            tenant_id=tenant.id,
            vault=self._platform.vault,
            installation=installation_of(self._platform.settings),
        )
        return AssembledCell(spec=spec, place=place)

    async def place_of(self, session: AsyncSession, tenant: Tenant, cell: Cell) -> StackPlace:
        """Where the cell's stack is kept: all that is needed to destroy it."""
        settings = self._platform.settings
        passphrase = await self._ensure(
            session, tenant.id, "passphrase", lambda: secrets.token_urlsafe(_PASSPHRASE_BYTES)
        )
        return StackPlace(
            stack=cell.stack,
            project=naming.CELL_PROJECT,
            backend_url=cells.backend_url(settings, tenant.slug),
            work_dir=cells.work_dir(settings, tenant.slug),
            passphrase=SecretStr(passphrase),
            exists=cell.stack_created_at is not None,
        )

    async def _spec(
        self, session: AsyncSession, tenant: Tenant, cell: Cell, tools: Tools, substrate: Substrate
    ) -> CellSpec:
        plan = self._platform.catalogue.plan(tenant.plan)
        return parse_spec(
            {
                "slug": tenant.slug,
                "plan": tenant.plan,
                "substrate": substrate.name,
                "bundle": {"name": tenant.bundle, "version": tenant.bundle_version},
                "answers": {str(key): str(value) for key, value in tenant.answers.items()},
                "models": self._models(plan, TenantSettings.model_validate(tenant.settings)),
                "resources": plan.resources.model_dump(),
                "endpoints": self._endpoints(substrate),
                "port": cell.port,
                "account": cell.account if substrate.on_this_machine else None,
                "secrets": await self._secrets(session, tenant.id),
                "directories": self._directories(tenant.slug),
                "runtime": {"node": tools.node, "openclaw": tools.openclaw, "version": tools.openclaw_version},
                "backup_key": await self._ensure(session, tenant.id, "backup_key", _new_key),
                # A cell that is to go is never started once more on its way out.
                "desired": Desired.RUNNING if tenant.desired_state == Desired.RUNNING else Desired.SUSPENDED,
                "restart_nonce": tenant.restart_nonce,
                "skip_backup": tenant.skip_backup,
            }
        )

    def _models(self, plan: Plan, chosen: TenantSettings) -> dict[str, Any]:
        prices = self._platform.catalogue.models
        return {
            # A plan that was left behind may not allow what was chosen under it.
            "primary": chosen.primary_model if chosen.primary_model in plan.models else plan.models[0],
            "allowed": plan.models,
            "limits": {
                model: {"context_window": prices[model].context_window, "max_output": prices[model].max_output}
                for model in plan.models
            },
        }

    def _endpoints(self, substrate: Substrate) -> dict[str, str]:
        settings = self._platform.settings
        return {
            "llm_base_url": f"{substrate.platform_url(settings)}/llm/v1",
            "telegram_api_root": f"{substrate.router_url(settings)}/telegram",
        }

    def _directories(self, slug: str) -> dict[str, Path]:
        data = self._platform.settings.data_dir
        return {"root": data / "cells" / slug, "backups": data / "backups", "supervisor": data / "supervisor"}

    async def _secrets(self, session: AsyncSession, tenant_id: uuid.UUID) -> dict[str, str]:
        return {
            "proxy_token": await self._token(
                session, tenant_id, "proxy_token", TokenKind.PROXY, self._neighbours.register_proxy_token
            ),
            "channel_token": await self._token(
                session, tenant_id, "channel_token", TokenKind.CHANNEL, self._neighbours.register_channel_token
            ),
            "gateway_token": await self._ensure(
                session, tenant_id, "gateway_token", lambda: secrets.token_urlsafe(_GATEWAY_TOKEN_BYTES)
            ),
        }

    async def _token(
        self, session: AsyncSession, tenant_id: uuid.UUID, name: str, kind: TokenKind, register: RegisterToken
    ) -> str:
        text = await self._ensure(session, tenant_id, name, lambda: issue(kind).reveal())
        await register(session, tenant_id, _parsed(text, kind))
        return text

    async def _ensure(self, session: AsyncSession, tenant_id: uuid.UUID, name: str, make: Callable[[], str]) -> str:
        return await self._platform.vault.ensure(session, tenant_id, name, make)


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _parsed(text: str, kind: TokenKind) -> Token:
    token = parse(text, kind=kind)
    if token is None:
        # The vault opened it, so it was sealed by us: only a defect can bring another shape.
        raise AssertionError(f"the vault holds no {kind.value} token where one is expected")
    return token
