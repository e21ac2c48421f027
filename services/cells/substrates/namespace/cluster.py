"""One API server: typed calls with bounded time, and its refusals as errors that people can act on."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Final, TypeVar

import httpx2
import yaml
from httpx2.websockets import HTTPXWSException, WebSocketUpgradeError
from lightkube import ALL_NS, AsyncClient, KubeConfig
from lightkube.core.client import FieldSelector
from lightkube.core.resource import NamespacedResource
from lightkube.exceptions import ApiError, ConfigError
from lightkube.resources.core_v1 import Namespace, Node, PersistentVolume, Pod
from lightkube.types import PatchType

from clawstack.errors import ClawstackError, NeedsAttentionError, PermanentError, TemporaryError
from tenants.namespace.settings import NamespaceSettings

T = TypeVar("T", bound=NamespacedResource)
R = TypeVar("R")

FIELD_MANAGER: Final = "clawstack"
NOT_FOUND: Final = 404
CONFLICT: Final = 409
_UNKNOWN_ACCOUNT: Final = 401
_FORBIDDEN: Final = 403
_BUSY: Final = frozenset({408, 409, 410, 429})
_NO_LOG: Final = frozenset({400, 404})
"""The container never started, or is gone."""
_OVER_QUOTA: Final = re.compile(r"exceeded quota|m(ax|in)imum .* usage per", re.IGNORECASE)
_SERVER_FAULT: Final = 500
_CALL: Final = httpx2.Timeout(15.0, connect=5.0)
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds; an API server that is started anew is back within them."""
_MERGE: Final = PatchType.MERGE
_TAIL_BYTES: Final = 4000


class Cluster:
    """The cluster of some settings. Connects when it is first asked; close it with the process."""

    def __init__(self, settings: NamespaceSettings) -> None:
        self._settings = settings
        self._client: AsyncClient | None = None

    @property
    def client(self) -> AsyncClient:
        """The one client; raises NeedsAttentionError for a kubeconfig that cannot be used."""
        if self._client is None:
            self._client = _connect(self._settings)
        return self._client

    async def aclose(self) -> None:
        """Close its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def read(self, kind: type[T], name: str, namespace: str) -> T | None:
        """The live object, None where there is none."""
        return await self._patiently(partial(_or_none, lambda: self.client.get(kind, name, namespace=namespace)))

    async def all(self, kind: type[T], namespace: str, *, name: str | None = None) -> list[T]:
        """Every object of a kind in a namespace, or the one of a name."""
        return await self._patiently(lambda: _listed(self.client.list(kind, namespace=namespace, fields=_named(name))))

    async def namespace(self, name: str) -> Namespace | None:
        """The namespace, None where there is none."""
        return await self._patiently(partial(_or_none, lambda: self.client.get(Namespace, name)))

    async def everywhere(self, kind: type[T], labels: Mapping[str, str], *, name: str | None = None) -> list[T]:
        """Objects of a kind (and name) in all namespaces that carry all these labels; asked once, since looks must not
        wait. With a name an account needs the right for objects of that name only: Kubernetes takes it from the query.
        """
        with self.translated():
            found = self.client.list(kind, namespace=ALL_NS, labels=dict(labels), fields=_named(name))
            return await _listed(found)

    async def namespaces(self, labels: Mapping[str, str]) -> list[Namespace]:
        """Namespaces that carry all these labels."""
        return await self._patiently(lambda: _listed(self.client.list(Namespace, labels=dict(labels))))

    async def volumes(self) -> list[PersistentVolume] | None:
        """All volumes of the cluster; None where this account may not see them."""
        try:
            return await self._patiently(lambda: _listed(self.client.list(PersistentVolume)))
        except NeedsAttentionError:
            return None

    async def node(self, name: str) -> Node | None:
        """A node; None where there is none or this account may not see it."""
        try:
            return await self._patiently(partial(_or_none, lambda: self.client.get(Node, name)))
        except NeedsAttentionError:
            return None

    async def patch(self, kind: type[T], name: str, namespace: str, change: Mapping[str, Any]) -> T:
        """Merge a change into an object."""
        return await self._patiently(
            lambda: self.client.patch(kind, name, dict(change), namespace=namespace, patch_type=_MERGE)
        )

    async def delete_pod(self, pod: Pod, *, grace: int | None = None) -> None:
        """Ask this very pod to end; one that is gone already is fine. `grace`: seconds, the pod's own by default."""
        metadata = pod.metadata
        if metadata is None or metadata.name is None:
            return
        with self.translated():
            try:
                await self.client.delete(Pod, metadata.name, namespace=str(metadata.namespace), grace_period=grace)
            except ApiError as error:
                if error.status.code != NOT_FOUND:
                    raise

    async def logs(self, pod: Pod, container: str, *, lines: int) -> list[str]:
        """The last lines of a container, of its last run where it waits for the next; none where it never ran."""
        metadata = pod.metadata
        if metadata is None or metadata.name is None:
            return []
        with self.translated():
            try:
                log = self.client.log(
                    metadata.name, namespace=metadata.namespace, container=container, tail_lines=lines, newlines=False
                )
                return [line async for line in log]
            except ApiError as error:
                if error.status.code in _NO_LOG:
                    return []
                raise

    async def follow(self, pod: Pod, container: str, *, lines: int | None) -> AsyncIterator[str]:
        """The last lines (None: all) and each new one until the container ends."""
        metadata = pod.metadata
        if metadata is None or metadata.name is None:
            return
        query: dict[str, str] = {"container": container, "follow": "true"}
        if lines is not None:
            query["tailLines"] = str(lines)
        path = f"/api/v1/namespaces/{metadata.namespace}/pods/{metadata.name}/log"
        http: httpx2.AsyncClient = self.client._client._client  # noqa: SLF001 - its own method leaves the stream open
        endless = httpx2.Timeout(15.0, connect=5.0, read=None)
        with self.translated():
            async with http.stream("GET", path, params=query, timeout=endless) as answer:
                if answer.is_error:
                    return
                async for line in answer.aiter_lines():
                    yield line

    async def run(
        self,
        pod: str,
        container: str,
        namespace: str,
        command: Sequence[str],
        *,
        seconds: float,
        stdin: BinaryIO | None = None,
        stdout: BinaryIO | None = None,
    ) -> tuple[int, str, str]:
        """Run a command in a container: exit code, the end of its output (unless it goes to `stdout`) and of its errors.

        Raises TemporaryError when it does not end in time or the connection breaks.
        """
        with self.translated():
            async with asyncio.timeout(seconds):
                answer = await self.client.exec(
                    pod,
                    namespace=namespace,
                    container=container,
                    command=list(command),
                    stdin=stdin,
                    stdout=True if stdout is None else stdout,
                    stderr=True,
                    decode=None,
                )
        return answer.exit_code, _text(answer.stdout), _text(answer.stderr)

    async def _patiently(self, ask: Callable[[], Awaitable[R]]) -> R:
        """Ask a few times where the API server is away for a moment; for what may be asked twice."""
        for pause in _PAUSES:
            try:
                with self.translated():
                    return await ask()
            except TemporaryError as error:
                if isinstance(error, _AbsentError):
                    raise
            await asyncio.sleep(pause)
        with self.translated():
            return await ask()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the library raises, as this project's errors."""
        try:
            yield
        except ApiError as error:
            raise refusal(int(error.status.code or 0), str(error.status.message or error)) from error
        except WebSocketUpgradeError as error:
            raise refusal(error.response.status_code, f"HTTP {error.response.status_code} to a command") from error
        except ConfigError as error:  # a token's file is read with each call
            raise NeedsAttentionError(
                f"This process has no access to the cluster {self._settings.cluster}: its token cannot be read.",
                code="bad_kubeconfig",
                remedy="Ask where a worker runs: of clawstack's own pods it alone has a token.",
            ) from error
        except (httpx2.HTTPError, HTTPXWSException, TimeoutError, OSError) as error:
            raise TemporaryError(
                f"The cluster {self._settings.cluster} does not answer ({type(error).__name__}: {str(error)[:200]}).",
                code="cluster_unreachable",
                retry_after=10.0,
                remedy="Look whether the cluster runs and whether the kubeconfig still fits it.",
            ) from error


async def _or_none(ask: Callable[[], Awaitable[R]]) -> R | None:
    try:
        return await ask()
    except ApiError as error:
        if error.status.code == NOT_FOUND:
            return None
        raise


def _named(name: str | None) -> FieldSelector | None:
    return None if name is None else {"metadata.name": name}


async def _listed(items: AsyncIterable[R]) -> list[R]:
    return [item async for item in items]


class _AbsentError(TemporaryError):
    code = "cell_changed"


def refusal(status: int, words: str) -> ClawstackError:
    """The error for a refused call; `words` are the server's."""
    if status == _UNKNOWN_ACCOUNT:
        # The token of a pod ends with the pod; what still runs of it must not stop whoever comes after it.
        return TemporaryError(
            f"The API server does not know the platform's account: {words}.",
            code="cluster_access_denied",
            retry_after=10.0,
            remedy="A token that is just being renewed is known again soon; else give a kubeconfig that is still valid.",
        )
    if status == _FORBIDDEN:
        return _forbidden(words)
    if status == NOT_FOUND:
        return _AbsentError(f"Something of the cell vanished meanwhile: {words}.", retry_after=2.0)
    if status in _BUSY or status >= _SERVER_FAULT or status == 0:
        return TemporaryError(f"The API server is busy: {words}.", code="cluster_busy", retry_after=5.0)
    return PermanentError(f"The API server refuses ({status}): {words}.", code="refused_by_kubernetes")


def _forbidden(words: str) -> ClawstackError:
    """Kubernetes answers 403 to missing rights, to quotas and to rules alike."""
    if _OVER_QUOTA.search(words):
        return NeedsAttentionError(
            f"The namespace has no room for it: {words}.",
            code="quota_exceeded",
            remedy="Compare the plan's resources with the namespace's quota and limits; an update sets them anew.",
        )
    if "being terminated" in words:
        return TemporaryError(f"The namespace is being deleted: {words}.", code="cell_changed", retry_after=10.0)
    if "violates" in words:
        return NeedsAttentionError(f"The cluster's rules refuse it: {words}.", code="pod_refused")
    return NeedsAttentionError(
        f"The cluster refuses the platform's account: {words}.",
        code="cluster_access_denied",
        remedy="Give the account of the kubeconfig this right (operators' guide, the role for cells), then try again.",
    )


def _connect(settings: NamespaceSettings) -> AsyncClient:
    try:
        content = yaml.safe_load(settings.kubeconfig.get_secret_value())
        _check_data(content)
        config = KubeConfig.from_dict(content).get(context_name=settings.context)
        # No proxy, no certificate bundle and no kubeconfig of the environment: the settings alone count.
        return AsyncClient(config=config, timeout=_CALL, trust_env=False, field_manager=FIELD_MANAGER)
    except (
        ConfigError,
        yaml.YAMLError,
        ssl.SSLError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:
        # The error's own text may quote the file.
        raise NeedsAttentionError(
            f"The kubeconfig of the cluster {settings.cluster} cannot be used ({type(error).__name__}).",
            code="bad_kubeconfig",
            remedy="Give a complete kubeconfig with certificates or a token inside, and the name of one of its contexts.",
        ) from None


def _check_data(content: Any) -> None:
    """Raises ValueError for keys and certificates that are no base64: the library would leave an open file behind."""
    for group, member in (("clusters", "cluster"), ("users", "user")):
        for entry in content.get(group) or ():
            for name, value in entry[member].items():
                if name.endswith("-data"):
                    base64.b64decode(value, validate=True)


def _text(output: str | bytes | None) -> str:
    if output is None:
        return ""
    if isinstance(output, bytes):
        return output[-_TAIL_BYTES:].decode(errors="replace")
    return output[-_TAIL_BYTES:]
