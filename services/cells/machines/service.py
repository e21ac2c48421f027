"""What a machine may ask, and what it is answered. Every question is judged by the machine's own token."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import NotFoundError
from clawstack.logs import get_logger
from clawstack.redaction import Redactor
from clawstack.tokens import TokenKind, parse
from services.cells.machines import errors, repository
from services.cells.machines.authenticator import MachineAuthenticator
from services.cells.machines.equipping import bundle_context, sealing_key
from services.cells.machines.places import waiting_restore
from services.cells.machines.schemas import (
    BootRequest,
    MachineOrders,
    MachinePhase,
    MachineReport,
    OrderAnswer,
    OrderKind,
    PhoneHome,
)
from services.kit.context import Platform
from services.kit.database.base import utcnow
from services.tables.machines import ServerBoot

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class LockFiles:
    """What machines install OpenClaw from."""

    manifest: Path
    lock: Path

    def document(self) -> dict[str, str]:
        """Both files as they are; blocks."""
        return {"manifest": self.manifest.read_text(encoding="utf-8"), "lock": self.lock.read_text(encoding="utf-8")}


class MachineDesk:
    """The platform's side of every conversation with a machine, each in one transaction."""

    def __init__(self, platform: Platform, *, archives: Path) -> None:
        """`archives`: folder of all backups."""
        self._platform = platform
        self._archives = archives
        self._redactor: Redactor = platform.redactor
        self._authenticator = MachineAuthenticator()

    async def exchange(self, slug: str, presented: str, request: BootRequest, *, address: str) -> dict[str, Any]:
        """The bundle for a boot token, exactly once; machines that this one replaces are shut out.

        Raises AuthenticationError for a token that is not this cell's, ConflictError for one that is used or expired.
        """
        async with self._platform.database.transaction() as session:
            boot = await self._authenticator.boot(session, slug, presented)
            used = await repository.use_boot(
                session, boot.key, now=utcnow(), agent_hash=request.agent_hash, machine=request.machine
            )
            if used:
                await repository.close_boots(session, slug, now=utcnow(), keep=boot.key)
                log.info("machine booted", slug=slug, boot=boot.key, address=address)
                return self._with_restore(slug, await self._bundle(session, boot))
        return await self._refuse(slug, boot.key, address=address)

    async def bundle(self, slug: str, presented: str) -> dict[str, Any]:
        """Everything of the cell, for the machine that serves it: after a restart, or when something changed."""
        async with self._platform.database.transaction() as session:
            return self._with_restore(
                slug, await self._bundle(session, await self._authenticator.agent(session, slug, presented))
            )

    async def admit(self, slug: str, presented: str) -> ServerBoot:
        """The machine; raises AuthenticationError for everybody else."""
        async with self._platform.database.transaction() as session:
            return await self._authenticator.agent(session, slug, presented)

    async def phone_home(self, slug: str, presented: str, message: PhoneHome) -> None:
        """A machine says that it is ready or why not. With its boot token it can only say that it failed."""
        async with self._platform.database.transaction() as session:
            if parse(presented, kind=TokenKind.BOOT) is not None and message.phase is MachinePhase.FAILED:
                boot = await self._authenticator.boot(session, slug, presented)
                if boot.used_at is not None or boot.expires_at <= utcnow():
                    raise errors.unknown_machine()
            else:
                boot = await self._authenticator.agent(session, slug, presented)
            await self._note(session, boot, message)
        if message.phase is MachinePhase.READY:  # what was to be filled in was filled in
            await asyncio.to_thread(waiting_restore(self._archives, slug).unlink, missing_ok=True)
        log.info("machine phoned home", slug=slug, boot=boot.key, phase=message.phase, code=message.code)

    async def poll(self, slug: str, presented: str, report: MachineReport) -> MachineOrders:
        """Take a machine's report and tell it what to do."""
        started = datetime.fromtimestamp(report.started_at, UTC) if report.started_at else None
        async with self._platform.database.transaction() as session:
            boot = await self._authenticator.agent(session, slug, presented)
            await self._note(
                session,
                boot,
                report,
                restarts=report.restarts,
                memory_bytes=report.memory_bytes,
                started_at=started,
            )
            cell = await repository.cell(session, slug)
            orders = await repository.open_orders(session, boot.key)
        if cell is None:
            raise errors.unknown_machine()
        return MachineOrders(
            version=cell.bundle_version,
            hold=boot.retired_at is not None,
            orders=tuple((order.id, order.kind) for order in orders),
        )

    async def finish(self, slug: str, presented: str, number: int, answer: OrderAnswer) -> None:
        """Note how an order ended; saying it again is fine. Raises NotFoundError for an order of another machine."""
        async with self._platform.database.transaction() as session:
            boot = await self._authenticator.agent(session, slug, presented)
            order = await repository.order(session, number)
            if order is None or order.boot_key != boot.key:
                raise errors.no_such_order()
            if order.kind in {OrderKind.BACKUP, OrderKind.RETIRE} and answer.ok and not answer.empty:
                answer = await self._with_archive(session, slug, order.created_at, answer)
            await repository.finish_order(
                session,
                number,
                boot.key,
                finished_at=utcnow(),
                ok=answer.ok,
                code=answer.code,
                reason=self._clean(answer.reason),
                archive=answer.archive,
            )

    async def restore(self, slug: str, presented: str) -> Path:
        """The archive that a new cell is to begin with, sealed for it; raises NotFoundError when there is none."""
        await self.admit(slug, presented)
        waiting = waiting_restore(self._archives, slug)
        if not waiting.is_file():
            raise NotFoundError(f"Nothing is to be restored into {slug}.")
        return waiting

    async def add_log(self, slug: str, presented: str, text: str) -> None:
        """Keep a piece of the gateway's log, without the secrets that this process knows."""
        async with self._platform.database.transaction() as session:
            await self._authenticator.agent(session, slug, presented)
            await repository.add_log(session, slug, self._redactor.text(text).replace("\x00", ""))

    def _with_restore(self, slug: str, bundle: dict[str, Any]) -> dict[str, Any]:
        return {**bundle, "restore": waiting_restore(self._archives, slug).is_file()}

    async def _refuse(self, slug: str, key: str, *, address: str) -> dict[str, Any]:
        async with self._platform.database.transaction() as session:
            boot = await repository.boot(session, key)
            if boot is None or boot.closed_at is not None:
                raise errors.unknown_machine()
            if boot.used_at is None:
                log.warning("machine refused", slug=slug, boot=key, address=address, reason="boot token expired")
                raise errors.token_expired()
            await repository.count_refusal(session, key)
        log.warning("machine refused", slug=slug, boot=key, address=address, reason="boot token used before")
        raise errors.token_used()

    async def _bundle(self, session: AsyncSession, boot: ServerBoot) -> dict[str, Any]:
        cell = await repository.cell(session, boot.slug)
        if cell is None:
            raise errors.unknown_machine()
        key = await sealing_key(session, self._platform.vault, boot.tenant_id)
        bundle: dict[str, Any] = json.loads(key.open(cell.bundle, context=bundle_context(boot.slug)))
        return bundle

    async def _note(
        self, session: AsyncSession, boot: ServerBoot, said: PhoneHome | MachineReport, **facts: Any
    ) -> None:
        values = {"phase": said.phase.value, "code": said.code, "reason": self._clean(said.reason), "seen_at": utcnow()}
        versions = {"applied_version": said.version, "tried_version": said.tried}
        values |= {name: version for name, version in versions.items() if version is not None}
        await repository.set_boot(session, boot.key, **values, **facts)

    async def _with_archive(
        self, session: AsyncSession, slug: str, since: datetime, answer: OrderAnswer
    ) -> OrderAnswer:
        """A backup counts when it arrived here, whatever the machine says."""
        cell = await repository.cell(session, slug)
        if cell is not None and cell.backed_up_at is not None and cell.backed_up_at >= since:
            return answer
        return OrderAnswer(ok=False, code="backup_missing", reason="The machine says it is done; no archive arrived.")

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.text(text).replace("\x00", "")
