"""How uvicorn serves the platform: behind limits of its own, believing nobody but named proxies."""

from __future__ import annotations

from typing import Final

import uvicorn

from clawstack.settings import Settings
from services.kit.http.connections import ConnectionLimits, affordable, bounded_protocol, raise_descriptor_limit

_SHUTDOWN_SECONDS: Final = 3
"""Long polls and event streams are cut after this; their clients come back."""
_IDLE_SECONDS: Final = 5
"""Between two requests of a connection; browsers and clients open a new one."""


def server_config(app: object, settings: Settings) -> uvicorn.Config:
    """For a server of `app`. Raises the process's limit of open files as far as it may."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # FastAPI is an ASGI application
        http=bounded_protocol(_limits(settings)),
        ws="none",  # nothing here speaks WebSocket, and its connections would leave the gate
        # The right-most address that is no trusted proxy is the client's. Never uvicorn's default, which believes
        # loopback, where cells are.
        proxy_headers=bool(settings.trusted_networks()),
        forwarded_allow_ips=[str(network) for network in settings.trusted_networks()],
        log_config=None,
        access_log=False,  # paths of the Telegram router carry channel tokens
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        lifespan="on",
    )


def _limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        total=affordable(raise_descriptor_limit(), wanted=settings.max_connections),
        per_address=settings.connections_per_address,
        shared=settings.trusted_networks(),
    )
