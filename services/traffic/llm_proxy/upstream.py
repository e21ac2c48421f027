"""Model vendors: the only place that holds their keys, and what a cell may learn of their errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Self

import aiohttp

from clawstack.logs import get_logger
from clawstack.redaction import Redactor
from clawstack.settings import Upstream
from services.kit.http.bounded_json import JsonBounds, decode
from services.traffic.llm_proxy.errors import RefusedError

log = get_logger(__name__)

_CONNECT_SECONDS: Final = 10.0
_CONNECTIONS: Final = 1000
_KEEPALIVE_SECONDS: Final = 15.0  # shorter than vendors' own, so that a request rarely meets a connection being closed
_LONGEST_MESSAGE: Final = 1000
_LARGEST_ERROR_BODY: Final = 64 * 1024
_ERROR_SHAPE: Final = JsonBounds(items=1000, depth=32)

#: The vendor's opinion of the request itself; its sentence is the client's to read (the gateway recognises
#: "maximum context length" and shortens the conversation).
_ABOUT_THE_REQUEST: Final = frozenset({400, 413, 415, 422})


class UnreachableError(Exception):
    """The vendor did not get the request: nothing was used."""


class NoAnswerError(Exception):
    """The vendor got the request, and its answer never came: something may have been used."""


class Vendors:
    """An HTTP client for the configured upstreams. One per process; use it as a context manager."""

    def __init__(
        self, *, upstreams: Mapping[str, Upstream], redactor: Redactor, silence: timedelta, total: timedelta
    ) -> None:
        """`silence`: longest pause in an answer; `total`: longest answer."""
        self._upstreams = dict(upstreams)
        self._redactor = redactor
        redactor.register(*(upstream.api_key.get_secret_value() for upstream in upstreams.values()))
        self._timeout = aiohttp.ClientTimeout(
            total=total.total_seconds(),
            connect=_CONNECT_SECONDS,
            sock_connect=_CONNECT_SECONDS,
            sock_read=silence.total_seconds(),
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def __contains__(self, name: object) -> bool:
        return name in self._upstreams

    @asynccontextmanager
    async def answer(self, name: str, path: str, body: bytes, *, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """POST `body` to a vendor and give its answer once the headers are there; ends the connection on any error.

        Nothing of the client's headers is passed on. Raises UnreachableError or NoAnswerError.
        """
        upstream, session = self._upstreams[name], self._session
        assert session is not None, "use Vendors as a context manager"  # noqa: S101 - a mistake of the programmer
        headers = {
            "Authorization": f"Bearer {upstream.api_key.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": accept,
            "Accept-Encoding": "identity",  # compressed streams arrive late
            "User-Agent": "clawstack",
        }
        url = upstream.base_url.rstrip("/") + path
        try:
            # A redirect would carry the key to whoever the vendor names.
            response = await session.post(url, data=body, headers=headers, allow_redirects=False)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise UnreachableError(type(error).__name__) from error
            raise NoAnswerError(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(type(error).__name__) from error
        whole = False
        try:
            yield response
            whole = True
        finally:
            if whole and response.content.at_eof():
                response.release()
            else:
                response.close()  # the vendor stops writing when the connection ends

    async def refusal_of(self, name: str, response: aiohttp.ClientResponse) -> RefusedError:
        """What the cell is told when the vendor answered `response`, which is no success."""
        document = await _document_of(response)
        message, kind, code = self._told(document)
        log.warning("vendor_refused", upstream=name, status=response.status, code=code, message=message[:300])
        return _refusal(response, message=message, kind=kind, code=code)

    def cleaned(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """An error in the middle of a stream, as a cell may read it."""
        message, kind, code = self._told(document)
        log.warning("vendor_failed_in_stream", code=code, message=message[:300])
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def _told(self, document: Mapping[str, Any]) -> tuple[str, str, str]:
        error = document.get("error")
        error = error if isinstance(error, dict) else {"message": error}
        message = error.get("message")
        message = message if isinstance(message, str) and message else "The model provider reported an error."
        kind, code = (error.get(name) for name in ("type", "code"))
        return (
            self._redactor.text(message)[:_LONGEST_MESSAGE],
            kind if isinstance(kind, str) and kind.isidentifier() else "upstream_error",
            code if isinstance(code, str) and code.isidentifier() else "upstream_error",
        )


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body; raises ValueError when it is larger than `limit` bytes."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise ValueError(f"an answer of more than {limit} bytes")
    return b"".join(parts)


async def _document_of(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    try:
        document = decode(await read_at_most(response, _LARGEST_ERROR_BODY), _ERROR_SHAPE)
    except (ValueError, aiohttp.ClientError, TimeoutError):
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(response: aiohttp.ClientResponse, *, message: str, kind: str, code: str) -> RefusedError:
    status = response.status
    if status in _ABOUT_THE_REQUEST:
        return RefusedError(status, code, message, kind=kind, retry=False)
    if status == 429 and "insufficient_quota" not in {kind, code}:  # noqa: PLR2004 - the number is the name
        message = "The model provider is busy. Please try again in a minute."
        retry_after = _retry_after(response)
        return RefusedError(429, "rate_limit_exceeded", message, kind="rate_limit_error", retry_after=retry_after)
    # The rest (our key, our account, its servers) is not the customer's business, nor are the vendor's words about it.
    if status >= 500:  # noqa: PLR2004 - server errors
        message = "The model provider has a problem at the moment. Please try again in a minute."
        return RefusedError(502, "upstream_error", message, kind="server_error", retry_after=_retry_after(response))
    message = "The model cannot be reached at the moment. The operator has been told."
    return RefusedError(502, "upstream_refused", message, kind="server_error", retry=False)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else None  # noqa: PLR2004 - one day
