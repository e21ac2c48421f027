"""A client of a registry (https://github.com/opencontainers/distribution-spec): blobs and manifests, pushed and pulled."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin

import httpx

from clawstack.errors import NeedsAttentionError, NotFoundError, PermanentError, TemporaryError
from toolchain.ground.oci import MEDIA
from toolchain.publishing.reference import Reference

_MANIFEST: Final = f"{MEDIA}.manifest.v1+json"
_SECONDS: Final = 120.0
"""Between two pieces of data."""
_PIECE: Final = 1 << 20
_TRIES: Final = 3
_PAUSE: Final = 1.0
_LARGEST_MANIFEST: Final = 4 << 20
"""What registries accept at most, by the specification."""
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


class Registry:
    """One repository of one registry."""

    def __init__(
        self,
        reference: Reference,
        *,
        credentials: tuple[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """`credentials`: user and password (or token). `transport`, `pause`: for tests."""
        self._root = f"{reference.url}/v2/{reference.repository}"
        self._repository = reference.repository
        self._credentials = credentials
        self._pause = pause
        self._http = httpx.Client(timeout=_SECONDS, transport=transport)
        self._headers: dict[str, str] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def has_blob(self, digest: str) -> bool:
        """Whether it need not be pushed."""
        return self._ask("HEAD", f"{self._root}/blobs/{digest}", accepted=(200, 404)).status_code == 200  # noqa: PLR2004

    def push_blob(self, digest: str, content: bytes | Path) -> None:
        """In one request (POST then PUT), unless it is there."""
        if self.has_blob(digest):
            return
        begun = self._ask("POST", f"{self._root}/blobs/uploads/", accepted=(202,))
        place = urljoin(f"{self._root}/", begun.headers["location"])
        mark = "&" if "?" in place else "?"
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        headers = {"content-type": "application/octet-stream", "content-length": str(size)}
        self._ask("PUT", f"{place}{mark}digest={digest}", accepted=(201,), headers=headers, content=content)

    def push_manifest(self, name: str, content: bytes) -> None:
        """Under a digest or a tag. Raises PermanentError where the registry took it for something else."""
        headers = {"content-type": _MANIFEST}
        answer = self._ask("PUT", f"{self._root}/manifests/{name}", accepted=(201,), headers=headers, content=content)
        own = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if (told := answer.headers.get("docker-content-digest", own)) != own:
            raise PermanentError(f"The registry stored {told} where {own} was sent.", code="registry_changed_it")

    def manifest(self, name: str) -> bytes:
        """As it is stored under a digest or a tag. Raises NotFoundError where there is none."""
        answer = self._ask("GET", f"{self._root}/manifests/{name}", accepted=(200, 404), headers={"accept": _MANIFEST})
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise NotFoundError(f"{self._repository} has no {name}.", code="not_in_registry")
        if len(answer.content) > _LARGEST_MANIFEST:
            raise PermanentError(f"{name} is larger than a manifest may be.", code="bad_manifest")
        return answer.content

    def blob(self, digest: str) -> Iterator[bytes]:
        """Its bytes as the registry serves them, piece by piece; whoever reads compares the digest."""
        url = f"{self._root}/blobs/{digest}"
        with self._http.stream("GET", url, headers=self._headers, follow_redirects=True) as answer:
            if answer.status_code != 200:  # noqa: PLR2004 - OK
                raise NotFoundError(f"{self._repository} has no blob {digest}.", code="not_in_registry")
            yield from answer.iter_bytes(_PIECE)

    def _ask(
        self,
        method: str,
        url: str,
        *,
        accepted: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        content: bytes | Path | None = None,
    ) -> httpx.Response:
        for last in (*(False for _ in range(_TRIES - 1)), True):
            try:
                answer = self._send(method, url, headers or {}, content)
                if answer.status_code == 401:  # noqa: PLR2004 - Unauthorized
                    self._headers = self._authorized(answer.headers.get("www-authenticate", ""))
                    answer = self._send(method, url, headers or {}, content)
            except httpx.TransportError as error:
                if last:
                    raise TemporaryError(
                        f"The registry did not answer: {error}.", code="registry_unreachable"
                    ) from error
                self._pause(_PAUSE)
                continue
            if answer.status_code in accepted:
                return answer
            if last or answer.status_code < 500:  # noqa: PLR2004 - the registry's own trouble
                raise _refused(method, url, answer)
            self._pause(_PAUSE)
        raise AssertionError("unreachable")

    def _send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | Path | None) -> httpx.Response:
        sent = {**self._headers, **headers}
        if not isinstance(content, Path):
            return self._http.request(method, url, headers=sent, content=content)
        with content.open("rb") as file:
            return self._http.request(method, url, headers=sent, content=iter(lambda: file.read(_PIECE), b""))

    def _authorized(self, challenge: str) -> dict[str, str]:
        """https://distribution.github.io/distribution/spec/auth/token/; or plain basic authentication."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self._credentials:
            return {"authorization": _basic(self._credentials)}
        said = dict(_CHALLENGE.findall(rest))
        if kind.lower() != "bearer" or not said.get("realm", "").startswith(
            ("https://", "http://127.0.0.1", "http://localhost")
        ):
            raise _unauthorized()
        query = {
            "scope": f"repository:{self._repository}:pull,push",
            **{k: said[k] for k in ("service", "scope") if k in said},
        }
        headers = {"authorization": _basic(self._credentials)} if self._credentials else {}
        answer = self._http.get(said["realm"], params=query, headers=headers)
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise _unauthorized()
        told = answer.json()
        return {"authorization": f"Bearer {told.get('token') or told['access_token']}"}


def _basic(credentials: tuple[str, str]) -> str:
    return httpx.BasicAuth(*credentials)._auth_header  # noqa: SLF001 - the encoding of RFC 7617


def _unauthorized() -> NeedsAttentionError:
    return NeedsAttentionError(
        "The registry refuses these credentials.",
        code="registry_unauthorized",
        remedy="Set REGISTRY_USER and REGISTRY_PASSWORD (a token that may push to this repository).",
    )


def _refused(method: str, url: str, answer: httpx.Response) -> PermanentError:
    if answer.status_code in {401, 403}:
        raise _unauthorized()
    path = httpx.URL(url).path
    return PermanentError(
        f"The registry answered {answer.status_code} to {method} {path}: {answer.text[:300]}", code="registry_refused"
    )
