"""Waits until the kube API of a new cluster answers, so that add-ons are not sent to a machine that still boots."""

from __future__ import annotations

import asyncio
import base64
import http.client
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any, Final

import yaml
from typing_extensions import override

from clawstack.errors import TemporaryError

#: Servers boot, load K3s and start etcd in two to three minutes (see `model`); then something is wrong.
PATIENCE_SECONDS: Final = 900.0
_PAUSE_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 10.0

Ask = Callable[[str], Awaitable[None]]
"""Raises OSError or http.client.HTTPException while the API of this kubeconfig is not ready."""


async def wait_for_api(
    kubeconfig: str, *, ask: Ask, patience: float = PATIENCE_SECONDS, pause: float = _PAUSE_SECONDS
) -> str:
    """The kubeconfig, once its API has said that it is ready. Raises TemporaryError with the last reason."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        try:
            await ask(kubeconfig)
        except (OSError, http.client.HTTPException) as error:
            if loop.time() >= deadline:
                raise TemporaryError(
                    f"The kube API was not ready after {patience / 60:.0f} minutes; the last answer was: {error}.",
                    code="kube_api_not_ready",
                    remedy="Log in to the first control plane and read `journalctl -u clawstack-node`, then repeat.",
                ) from error
            await asyncio.sleep(pause)
        else:
            return kubeconfig


async def ask_readyz(kubeconfig: str) -> None:
    """Ask the first control plane's `/readyz` as the administrator. Raises OSError for any answer but ready."""
    await asyncio.to_thread(_ask, yaml.safe_load(kubeconfig))


def _ask(document: dict[str, Any]) -> None:
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    host, _, port = cluster["server"].removeprefix("https://").rpartition(":")
    connection = _Connection(
        host.strip("[]"), int(port), name=cluster["tls-server-name"], context=_trust(cluster, user)
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"/readyz answered {answer.status}")
    finally:
        connection.close()


def _trust(cluster: dict[str, str], user: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_text(cluster["certificate-authority-data"]))
    # The standard library reads certificates of clients from files only.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # mode 0600
        file.write(_text(user["client-certificate-data"]) + _text(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _text(data: str) -> str:
    return base64.b64decode(data).decode()


class _Connection(http.client.HTTPSConnection):
    """Calls one address and expects another name in the certificate."""

    def __init__(self, host: str, port: int, *, name: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_ANSWER_SECONDS, context=context)
        self._name, self._trusted = name, context

    @override
    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._trusted.wrap_socket(self.sock, server_hostname=self._name)
