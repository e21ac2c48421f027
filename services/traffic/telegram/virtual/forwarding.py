"""Calls that reach the real bot: guarded first, learned from afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.traffic.telegram.bot import Answer, RealBot
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError, TelegramUnavailableError
from services.traffic.telegram.model.schemas import SeenKind
from services.traffic.telegram.model.updates import file_ids, walk
from services.traffic.telegram.repository import chats, seen
from services.traffic.telegram.virtual.guarding import References, chat_not_found, references, required_chat
from services.traffic.telegram.virtual.parameters import Call, write_body

log = get_logger(__name__)

_BAD_FILE: Final = "Bad Request: wrong remote file identifier specified: the file is not this assistant's"
_BAD_FILE_ID: Final = "Bad Request: wrong file_id or the file is temporarily unavailable"
_BAD_QUERY: Final = "Bad Request: query is too old and response timeout expired or query ID is invalid"


class Forwarder:
    """Carries a cell's calls to the real bot, as far as they stay within the cell's own chats and files."""

    def __init__(self, *, database: Database, real_bot: RealBot, identity: BotIdentity, metrics: RouterMetrics) -> None:
        self._database = database
        self._real_bot = real_bot
        self._identity = identity
        self._metrics = metrics

    async def chat_method(self, tenant_id: uuid.UUID, method: str, call: Call) -> Answer:
        """A method with a `chat_id`. Raises BotApiError when anything in it is not the tenant's."""
        chat_id = required_chat(call)
        await self._check(tenant_id, references(call))
        answer = await self._forward(method, call, {"chat_id": chat_id})
        await self._learn(tenant_id, answer, method)
        return answer

    async def person_method(self, tenant_id: uuid.UUID, method: str, call: Call) -> Answer:
        """A method about a person, who must be one that the tenant talks with."""
        person = required_chat(call, "user_id")
        wanted = references(call)
        await self._check(tenant_id, References(chats=wanted.chats | {person}, files=wanted.files))
        answer = await self._forward(method, call, {"user_id": person})
        await self._learn(tenant_id, answer, method)
        return answer

    async def public_method(self, tenant_id: uuid.UUID, method: str, call: Call) -> Answer:
        """A method that tells what everybody may know."""
        await self._check(tenant_id, references(call))
        answer = await self._forward(method, call, {})
        await self._learn(tenant_id, answer, method)
        return answer

    async def answer_callback(self, tenant_id: uuid.UUID, call: Call) -> Answer:
        """answerCallbackQuery, for buttons that were pressed in the tenant's chats."""
        query_id = call.text("callback_query_id")
        await self._check(tenant_id, references(call))
        if not await self._is_known(tenant_id, SeenKind.CALLBACK, query_id):
            raise BotApiError(400, _BAD_QUERY)
        return await self._forward("answerCallbackQuery", call, {"callback_query_id": query_id})

    async def get_file(self, tenant_id: uuid.UUID, call: Call) -> Answer:
        """getFile, for files that the tenant has seen; the path in the answer may be downloaded afterwards."""
        file_id = call.text("file_id")
        if not file_id or not await self._is_known(tenant_id, SeenKind.FILE, file_id):
            raise BotApiError(400, _BAD_FILE_ID)
        answer = await self._forward("getFile", Call(form=call.form, fields={"file_id": file_id}), {})
        result = answer.decoded.get("result")
        path = result.get("file_path") if answer.ok and isinstance(result, dict) else None
        if isinstance(path, str):
            async with self._database.transaction() as session:
                await seen.note(session, tenant_id, SeenKind.PATH, [path])
                await seen.note(session, tenant_id, SeenKind.FILE, [file_id])
        return answer

    async def may_download(self, tenant_id: uuid.UUID, path: str) -> bool:
        """True when `getFile` gave this path to the tenant."""
        return await self._is_known(tenant_id, SeenKind.PATH, path)

    async def _check(self, tenant_id: uuid.UUID, wanted: References) -> None:
        bot = await self._bot()
        async with self._database.transaction() as session:
            if wanted.chats and await chats.chats_of(session, bot, tenant_id, wanted.chats) != wanted.chats:
                raise chat_not_found()
            if wanted.files and await seen.known(session, tenant_id, SeenKind.FILE, wanted.files) != wanted.files:
                raise BotApiError(400, _BAD_FILE)

    async def _is_known(self, tenant_id: uuid.UUID, kind: SeenKind, item: str) -> bool:
        async with self._database.transaction() as session:
            return bool(await seen.known(session, tenant_id, kind, [item]))

    async def _forward(self, method: str, call: Call, changes: dict[str, Any]) -> Answer:
        body = write_body(call, changes)
        try:
            with self._metrics.call_seconds.time():
                return await self._real_bot.forward(
                    method, body.content, content_type=body.content_type, length=body.length
                )
        except TelegramUnavailableError as error:
            self._metrics.upstream_errors.labels(error.code).inc()
            raise

    async def _learn(self, tenant_id: uuid.UUID, answer: Answer, method: str) -> None:
        """Ids in an answer are the tenant's from now on. The call has been made: nothing here may fail it."""
        files, polls = frozenset(file_ids(answer.decoded)), frozenset(_poll_ids(answer.decoded))
        parameters = answer.decoded.get("parameters")
        moved_to = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
        if not (files or polls or isinstance(moved_to, int)):
            return
        try:
            bot = await self._bot()
            async with self._database.transaction() as session:
                await seen.note(session, tenant_id, SeenKind.FILE, files)
                await seen.note(session, tenant_id, SeenKind.POLL, polls)
                if isinstance(moved_to, int):
                    await chats.bind_if_free(session, bot, moved_to, tenant_id)
        except TemporaryError as error:
            log.warning("telegram_answer_not_learned", method=method, problem=error.message)

    async def _bot(self) -> str:
        if self._identity.name is None:
            await self._identity.me()
        return self._identity.name or ""


def _poll_ids(value: object) -> Iterator[str]:
    for name, member in walk(value):
        if name == "poll" and isinstance(member, dict) and isinstance(member.get("id"), str):
            yield member["id"]
