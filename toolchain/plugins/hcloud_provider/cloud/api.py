"""Calls to the Hetzner Cloud API: kept connections, pages, and patience for a busy or limiting server."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from typing_extensions import override

from clawstack.errors import TemporaryError
from toolchain.plugins.hcloud_provider.cloud.refusals import (
    BUSY,
    NO_SUBNET,
    NOT_FOUND,
    RATE_LIMITED,
    Refusal,
    error_of,
    refusal_of,
)

Object = dict[str, Any]

OFFICIAL: Final = "https://api.hetzner.cloud/v1"
_CALL_SECONDS: Final = 60.0
_PAGE: Final = 50
_REFUSED: Final = 400
_SERVERS_FAULT: Final = 500
_SHORTER: Final = 4.0
"""Part of the patience that is left for what is seldom worth it."""


class Stopped(TemporaryError):  # noqa: N818 - reads as a state
    """The engine said stop while something was waited for."""

    code = "stopped"


class Lost(TemporaryError):  # noqa: N818 - reads as a state
    """The connection broke or the gateway gave up after a create was sent: nobody knows whether it was done."""

    code = "hetzner_unreachable"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a busy API is asked again; seconds."""

    first: float = 1.0
    longest: float = 10.0
    """Longest pause between two tries."""
    busy: float = 120.0
    """In all, for an object that is locked or a server that is away."""
    limited: float = 300.0
    """In all, for the rate limit, which regains one request per second."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where the API is and who asks. The token is in no repr."""

    endpoint: str = OFFICIAL
    token: str = ""

    @override
    def __repr__(self) -> str:
        return f"Access(endpoint={self.endpoint!r})"


class Api:
    """One project at Hetzner. Safe to use from many threads; connections are kept and used again."""

    def __init__(self, access: Access, stop: threading.Event, *, patience: Patience | None = None) -> None:
        """`stop`: set when nothing may be waited for any more."""
        self.stop = stop
        self._access = access
        self._patience = patience or Patience()
        self._parts = urlsplit(access.endpoint)
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close what is kept open."""
        while self._idle:
            self._idle.pop().close()

    def get(self, path: str, what: str, **query: Any) -> Object | None:
        """One answer, None where there is no such thing. `what` completes "refused to ..."."""
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        try:
            return self._patiently("GET", target, None, what)
        except Refusal as refusal:
            if refusal.code == NOT_FOUND:
                return None
            raise error_of(refusal, what) from refusal

    def every(self, path: str, key: str, what: str, **query: Any) -> list[Object]:
        """All entries of a list, page by page."""
        found: list[Object] = []
        page: int | None = 1
        while page:
            answer = self.get(path, what, **query, page=page, per_page=_PAGE) or {}
            found += answer.get(key) or []
            page = ((answer.get("meta") or {}).get("pagination") or {}).get("next_page")
        return found

    def send(self, method: str, path: str, body: Mapping[str, Any] | None, *, repeatable: bool = True) -> Object:
        """Change something. Raises `Refusal` as it is, for the caller to judge.

        Not `repeatable`: a call whose answer got lost must not be made again blindly; raises `Lost` then.
        """
        return self._patiently(method, path, body, f"{method} {path}", repeatable=repeatable)

    def pause(self, seconds: float, why: str) -> None:
        """Wait, unless the engine says stop: then raises `Stopped`."""
        if self.stop.wait(seconds):
            raise Stopped(f"Stopped while waiting {why}; the next run goes on from there.")

    def _patiently(
        self, method: str, target: str, body: Mapping[str, Any] | None, what: str, *, repeatable: bool = True
    ) -> Object:
        started, pause = time.monotonic(), self._patience.first
        while True:
            waited = time.monotonic() - started
            try:
                return self._once(method, target, body, repeatable=repeatable)
            except Refusal as refusal:
                if not self._worth_asking_again(refusal, waited):
                    raise
                if not repeatable and refusal.status >= _SERVERS_FAULT:
                    raise Lost(f"Hetzner's answer to {what} got lost ({refusal.message}).") from refusal
                wait = self._limit_pause(refusal, waited) if refusal.code == RATE_LIMITED else pause
            except (OSError, http.client.HTTPException) as error:
                if not repeatable and not isinstance(error, ConnectionRefusedError | socket.gaierror):
                    raise Lost(f"The connection broke during {what} ({error}).") from error
                if waited >= self._patience.busy / _SHORTER or self.stop.is_set():
                    raise self._unreachable(error) from error
                wait = pause
            self.pause(wait, "for a busy API")
            pause = min(pause * 1.6, self._patience.longest)

    def _unreachable(self, error: Exception) -> TemporaryError:
        return TemporaryError(
            f"The Hetzner API at {self._access.endpoint} does not answer ({error}).",
            retry_after=30.0,
            code="hetzner_unreachable",
            remedy="Look whether this machine reaches it and whether hcloud:endpoint is right.",
        )

    def _worth_asking_again(self, refusal: Refusal, waited: float) -> bool:
        if refusal.code == RATE_LIMITED:
            return waited < self._patience.limited
        if refusal.code == NO_SUBNET:
            return waited < self._patience.busy / _SHORTER
        return refusal.code in BUSY and waited < self._patience.busy

    def _limit_pause(self, refusal: Refusal, waited: float) -> float:
        """Until the limit is whole again, but no longer than patience lasts; at least a regained request."""
        left = max(self._patience.limited - waited, 0.0)
        until_whole = refusal.reset_in if refusal.reset_in is not None else self._patience.longest
        return max(min(until_whole, left, self._patience.longest), self._patience.first)

    def _once(self, method: str, target: str, body: Mapping[str, Any] | None, *, repeatable: bool) -> Object:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._access.token}",
            "User-Agent": "clawstack-offline-hcloud-plugin",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        connection, kept = self._take()
        try:
            connection.request(method, self._parts.path.rstrip("/") + target, content, headers)
            response = connection.getresponse()
            text = response.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            if not (kept and repeatable):
                raise
            # The server had closed an idle connection; on a fresh one a silence is a real one.
            return self._once(method, target, body, repeatable=repeatable)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return _accepted(response.status, text, _reset_in(response))

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.pop(), True
        except IndexError:
            pass
        host = self._parts.hostname or ""
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, self._parts.port, timeout=_CALL_SECONDS), False
        return http.client.HTTPSConnection(host, self._parts.port, timeout=_CALL_SECONDS), False


def _accepted(status: int, text: bytes, reset_in: float | None) -> Object:
    try:
        answer = json.loads(text) if text else {}
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    if status < _REFUSED:
        return answer
    raise refusal_of(status, answer, reset_in=reset_in)


def _reset_in(response: http.client.HTTPResponse) -> float | None:
    moment = response.getheader("RateLimit-Reset") or ""
    return max(float(moment) - time.time(), 0.0) if moment.isdigit() else None
