"""The real bot. The only module that holds the real token; nothing that leaves it contains the token.

aiohttp's errors carry the URL they happened at, and the URL carries the token. They end here: what is raised instead
names the kind of error only, and is raised outside the handler, so that no chained exception is logged with it.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr
from typing_extensions import override
from yarl import URL

from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.telegram.model.errors import BotApiError, TelegramUnavailableError

_MOST_ANSWER_BYTES: Final = 16 * 1024 * 1024
#: A hundred updates (one answer of getUpdates) of up to a few thousand values each.
_SHAPE: Final = JsonBounds(items=500_000, depth=256)
_MOST_CONNECTIONS: Final = 256
_CHUNK: Final = 64 * 1024
_MASK: Final = b"[secret]"
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the real Bot API said: `ok` of its JSON, the JSON itself, and the very bytes."""

    status: int
    raw: bytes
    decoded: dict[str, Any]

    @property
    def ok(self) -> bool:
        """The call was carried out."""
        return self.decoded.get("ok") is True

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait, when Telegram asks for it."""
        parameters = self.decoded.get("parameters")
        value = parameters.get("retry_after") if isinstance(parameters, dict) else None
        return value if isinstance(value, int) and value >= 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file on its way: status, the headers worth passing on, and its bytes."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class RealBot:
    """The shared bot of this platform, over one pool of connections."""

    def __init__(self, *, api_root: str, token: SecretStr | None, timeout: float) -> None:
        """`api_root` without a trailing slash; `timeout`: seconds for one call. Without a token every call refuses."""
        self._root = api_root
        self._token = token
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    @override
    def __repr__(self) -> str:
        return f"RealBot({self._root})"

    @property
    def is_configured(self) -> bool:
        """There is a token to work with."""
        return self._token is not None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connections live as long as the context."""
        connector = aiohttp.TCPConnector(limit=_MOST_CONNECTIONS)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def call(self, method: str, payload: Mapping[str, Any], *, seconds: float | None = None) -> Any:
        """A call of our own: the `result`. Raises BotApiError for a refusal, TelegramUnavailableError without an answer."""
        body = json.dumps(payload).encode()
        answer = await self.forward(method, body, content_type="application/json", seconds=seconds)
        if answer.ok:
            return answer.decoded.get("result")
        description = str(answer.decoded.get("description", "refused"))[:300]
        raise BotApiError(answer.status, description, retry_after=answer.retry_after)

    async def forward(
        self,
        method: str,
        body: bytes | AsyncIterator[bytes],
        *,
        content_type: str,
        length: int | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Call `method` with this very body; the answer whatever its status. Raises TelegramUnavailableError.

        `method` must come from a fixed list of names; `length` is the body's, when it is streamed; `seconds` bounds the whole call.
        """
        headers = {"Content-Type": content_type}
        if length is not None:
            headers["Content-Length"] = str(length)
        limit = aiohttp.ClientTimeout(total=seconds or self._timeout, sock_connect=10)
        url = self._url("", method)
        data = io.BytesIO(body) if isinstance(body, bytes) else body  # aiohttp sends large bytes in one blocking piece
        try:
            async with self._opened_session().post(
                url, data=data, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                raw = await _read(response)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = type(error).__name__
        else:
            return self._answer(status, raw)
        raise TelegramUnavailableError(f"Telegram does not answer ({problem}).", retry_after=2.0)

    @asynccontextmanager
    async def download(self, path: str, *, byte_range: str | None) -> AsyncIterator[Download]:
        """A file by the path that `getFile` gave. Raises TelegramUnavailableError before the first byte."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": byte_range} if byte_range else {})
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=self._timeout)
        url = self._url("/file", quote(path, safe="/"))
        response: aiohttp.ClientResponse | None = None
        problem = ""
        try:
            response = await self._opened_session().get(url, headers=headers, timeout=limit, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = type(error).__name__
        if response is None:
            raise TelegramUnavailableError(f"Telegram does not answer ({problem}).", retry_after=2.0)
        async with response:
            kept = ("Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified", "ETag")
            passed = {name: response.headers[name] for name in kept if name in response.headers}
            yield Download(status=response.status, headers=passed, chunks=_chunks(response))

    def _opened_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise TelegramUnavailableError("The Telegram router is starting or ending.", retry_after=1.0)
        return self._session

    def _url(self, prefix: str, tail: str) -> URL:
        if self._token is None:
            raise TelegramUnavailableError(
                "No Telegram bot is configured.", remedy="Set CLAWSTACK_TELEGRAM_BOT_TOKEN.", retry_after=60.0
            )
        return URL(f"{self._root}{prefix}/bot{self._token.get_secret_value()}/{tail}", encoded=True)

    def _answer(self, status: int, raw: bytes) -> Answer:
        if self._token is not None:
            raw = raw.replace(self._token.get_secret_value().encode(), _MASK)
        try:
            decoded = decode(raw, _SHAPE, finite=False)
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict) or (status >= _SERVER_ERROR):
            raise TelegramUnavailableError(f"Telegram answered with HTTP {status}.", retry_after=2.0)
        if status == 401:  # noqa: PLR2004 - the number is the name
            raise TelegramUnavailableError("Telegram does not accept the platform's bot token.", retry_after=60.0)
        return Answer(status=status, raw=raw, decoded=decoded)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > _MOST_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("answer too large")
        chunks.append(chunk)
    return b"".join(chunks)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    problem = ""
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        problem = type(error).__name__
    if problem:
        raise TelegramUnavailableError(f"The download broke off ({problem}).")
