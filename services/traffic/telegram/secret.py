"""The secret that Telegram repeats with every update it pushes."""

from __future__ import annotations

import secrets
from typing import Final

from pydantic import SecretStr

from clawstack.crypto import MasterKey
from clawstack.redaction import Redactor
from services.kit.database.connection import Database
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.repository import bots

_BYTES: Final = 32


class IntakeSecret:
    """From the settings; else made once, sealed with the master key, and the same for all processes."""

    def __init__(
        self,
        *,
        configured: SecretStr | None,
        database: Database,
        master_key: MasterKey,
        redactor: Redactor,
        identity: BotIdentity,
    ) -> None:
        self._value = configured.get_secret_value() if configured is not None else None
        self._database = database
        self._master_key = master_key
        self._redactor = redactor
        self._identity = identity

    async def __call__(self) -> str:
        """The secret in the clear; raises TemporaryError while the database does not answer."""
        if self._value is None:
            self._value = await self._stored()
            self._redactor.register(self._value)
        return self._value

    async def _stored(self) -> str:
        bot = await self._identity.named()
        context = f"telegram-webhook:{bot}"
        fresh = self._master_key.seal(secrets.token_urlsafe(_BYTES).encode(), context=context)
        async with self._database.transaction() as session:
            sealed = await bots.ensure_webhook_secret(session, bot, fresh)
        return self._master_key.open(sealed, context=context).decode()
