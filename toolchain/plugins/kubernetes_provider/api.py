"""Calls to the API server: apply, read, delete; with patience for a busy server and its refusals in full."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from clawstack.errors import ClawstackError, InvalidInputError, TemporaryError
from toolchain.plugins.kubernetes_provider.kinds import Kind
from toolchain.plugins.kubernetes_provider.kubeconfig import Access

Object = dict[str, Any]

_CALL_SECONDS: Final = 30.0
_TRIES: Final = 5
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_UNTYPED: Final = "failed to create typed patch object"
"""How the API server's field manager begins its complaint about a field that a kind has not. It says so with status
500, though asking again changes nothing."""
_REFUSED: Final = 400
_UNKNOWN_ACCOUNT: Final = 401
_GONE: Final = 404
_CONFLICT: Final = 409
_POLL_FIRST: Final = 0.05
_POLL_LAST: Final = 1.0


class Stopped(TemporaryError):  # noqa: N818 - reads as a state
    """The engine said stop while something was waited for."""

    code = "stopped"


class Api:
    """One API server. Safe to use from many threads; connections are kept and used again."""

    def __init__(self, access: Access, stop: threading.Event) -> None:
        """`stop`: set when nothing may be waited for any more."""
        self._access = access
        self._stop = stop
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close what is kept open."""
        while self._idle:
            self._idle.pop().close()

    def apply(self, kind: Kind, wanted: Object, *, manager: str, force: bool, dry_run: bool = False) -> Object:
        """Server-side apply: creates or updates, owns the fields in `wanted`, and lets go of those no longer there.

        Without `force` a field that somebody else owns is refused. Raises InvalidInputError with the server's words.
        """
        query = {"fieldManager": manager, "force": str(force).lower(), **({"dryRun": "All"} if dry_run else {})}
        path = f"{object_path(kind, wanted)}?{urlencode(query)}"
        return self._done("PATCH", path, wanted, label(wanted))

    def read(self, kind: Kind, wanted: Object) -> Object | None:
        """The live object, None where there is none."""
        status, answer = self._patiently("GET", object_path(kind, wanted), None)
        return None if status == _GONE else _accepted(status, answer, "read", label(wanted))

    def delete(self, kind: Kind, wanted: Object, *, seconds: float) -> None:
        """Delete the object with everything that belongs to it, and wait until it is gone. Repeating changes nothing.

        An object of the same name that was made since is left alone. Raises TemporaryError after `seconds`, saying
        what holds it.
        """
        live = self.read(kind, wanted)
        if live is None:
            return
        identity = live["metadata"].get("uid")
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        if identity:
            options["preconditions"] = {"uid": identity}
        status, answer = self._patiently("DELETE", object_path(kind, wanted), options)
        if status not in (_GONE, _CONFLICT):  # a conflict here: another object bears the name now
            _accepted(status, answer, "delete", label(wanted))
        self._await_gone(kind, wanted, identity, time.monotonic() + seconds)

    def _await_gone(self, kind: Kind, wanted: Object, identity: str | None, deadline: float) -> None:
        pause = _POLL_FIRST
        while (live := self.read(kind, wanted)) is not None and live["metadata"].get("uid") == identity:
            if time.monotonic() >= deadline:
                raise TemporaryError(f"{label(wanted)} is still being deleted{_held_by(live)}.", retry_after=10.0)
            if self._stop.wait(pause):
                raise Stopped(f"Stopped while {label(wanted)} was being deleted; the next run waits on.")
            pause = min(pause * 1.5, _POLL_LAST)

    def _done(self, method: str, path: str, body: Object | None, what: str) -> Object:
        status, answer = self._patiently(method, path, body)
        return _accepted(status, answer, "apply", what)

    def _patiently(self, method: str, path: str, body: Object | None) -> tuple[int, Object]:
        """Every call here may be repeated, so a busy or absent server is asked again."""
        pause = _FIRST_PAUSE
        for attempt in range(1, _TRIES + 1):
            try:
                status, answer, after = self._once(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES or self._stop.is_set():
                    raise TemporaryError(
                        f"The API server {self._access.server} does not answer ({error}).",
                        remedy="Look whether the cluster runs and whether the kubeconfig still fits it.",
                    ) from error
                after = None
            else:
                if attempt == _TRIES or not _worth_asking_again(method, status, answer):
                    return status, answer
            if self._stop.wait(min(pause if after is None else after, _LONGEST_PAUSE)):
                raise Stopped("Stopped while the API server was busy; nothing is lost.")
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, body: Object | None) -> tuple[int, Object, float | None]:
        headers = {"Accept": "application/json", "User-Agent": "clawstack-offline-kubernetes-plugin"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        if body is not None:
            # JSON is YAML; the server knows server-side apply by this type.
            headers["Content-Type"] = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        target = urlsplit(self._access.server).path + path
        connection = self._take()
        try:
            connection.request(method, target, None if body is None else json.dumps(body).encode(), headers)
            response = connection.getresponse()
            text = response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        after = response.getheader("Retry-After")
        return response.status, _parsed(text, response.status), float(after) if after and after.isdigit() else None

    def _take(self) -> http.client.HTTPConnection:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        parts = urlsplit(self._access.server)
        host = parts.hostname or ""
        if self._access.tls is None:
            return http.client.HTTPConnection(host, parts.port, timeout=_CALL_SECONDS)
        return http.client.HTTPSConnection(host, parts.port, timeout=_CALL_SECONDS, context=self._access.tls)


def object_path(kind: Kind, wanted: Mapping[str, Any]) -> str:
    """Where the object is served."""
    version, metadata = wanted["apiVersion"], wanted["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = f"/namespaces/{quote(metadata['namespace'], safe='')}" if kind.namespaced else ""
    return f"{root}{place}/{kind.plural}/{quote(metadata['name'], safe='')}"


def _parsed(text: bytes, status: int) -> Object:
    try:
        answer = json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace").strip() or f"HTTP {status}"}
    return answer if isinstance(answer, dict) else {"message": str(answer)}


def _worth_asking_again(method: str, status: int, answer: Object) -> bool:
    if _is_busy(status, answer):
        return True
    if method != "PATCH":
        return False
    # Two writers of one quota collide; a refused field (server-side apply) names its causes and stays refused.
    return status == _CONFLICT and answer.get("reason") == "Conflict" and not _causes(answer)


def _is_busy(status: int, answer: Object) -> bool:
    return status in _BUSY and not str(answer.get("message")).startswith(_UNTYPED)


def _accepted(status: int, answer: Object, verb: str, what: str) -> Object:
    if status < _REFUSED:
        return answer
    raise _refusal(status, answer, verb, what)


def _refusal(status: int, answer: Object, verb: str, what: str) -> ClawstackError:
    causes = [f"{cause.get('field', '?')}: {cause.get('message', '')}" for cause in _causes(answer)]
    message = str(answer.get("message") or f"HTTP {status}")
    told = "; ".join(cause for cause in causes if cause.split(": ", 1)[-1] not in message)
    sentence = f"The API server refused to {verb} {what} ({status} {answer.get('reason') or ''}".rstrip()
    sentence += f"): {message}" + (f" [{told}]" if told else "")
    if status == _UNKNOWN_ACCOUNT or _is_busy(status, answer):  # a pod's token ends with the pod
        return TemporaryError(sentence)
    return InvalidInputError(sentence, code="refused_by_kubernetes")


def _causes(answer: Object) -> list[Object]:
    return list((answer.get("details") or {}).get("causes") or [])


def label(wanted: Mapping[str, Any]) -> str:
    """The object as sentences name it."""
    metadata = wanted["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{wanted['kind']} {place}{metadata['name']}"


def _held_by(live: Object) -> str:
    """What keeps an object alive that is being deleted."""
    conditions = (live.get("status") or {}).get("conditions") or []
    reasons = [f"{entry.get('type')}: {entry.get('message')}" for entry in conditions if entry.get("status") == "True"]
    finalizers = [*(live["metadata"].get("finalizers") or []), *((live.get("spec") or {}).get("finalizers") or [])]
    held = [*reasons, *(f"finalizer {name}" for name in finalizers)]
    return f": {'; '.join(held)}" if held else ""
