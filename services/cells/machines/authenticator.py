"""Which machine presents a token. A machine of one cell is a stranger to every other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.errors import ClawstackError
from clawstack.logs import get_logger
from clawstack.tokens import Token, TokenKind, parse
from services.cells.machines import errors, repository
from services.tables.machines import ServerBoot

log = get_logger(__name__)


class MachineAuthenticator:
    """Judges boot and agent tokens, each time by the row: a machine that was replaced is shut out at once."""

    async def boot(self, session: AsyncSession, slug: str, presented: str) -> ServerBoot:
        """The boot of a machine of this cell that presents its boot token, used or not; raises AuthenticationError."""
        boot, token = await self._presented(session, slug, presented, TokenKind.BOOT)
        if not token.matches(boot.secret_hash):
            raise self._stranger(slug)
        return boot

    async def agent(self, session: AsyncSession, slug: str, presented: str) -> ServerBoot:
        """The boot of the machine that serves this cell, by its agent token; raises AuthenticationError."""
        boot, token = await self._presented(session, slug, presented, TokenKind.AGENT)
        if not token.matches(boot.agent_hash):
            raise self._stranger(slug)
        return boot

    async def _presented(
        self, session: AsyncSession, slug: str, presented: str, kind: TokenKind
    ) -> tuple[ServerBoot, Token]:
        token = parse(presented, kind=kind)
        boot = await repository.boot(session, token.key) if token else None
        if token is None or boot is None or boot.slug != slug or boot.closed_at is not None:
            raise self._stranger(slug)
        return boot, token

    def _stranger(self, slug: str) -> ClawstackError:
        log.warning("machine refused", slug=slug[:60], reason="no token of a machine of this cell")
        return errors.unknown_machine()
