"""Asks a component whether it is there, and says why when it does not come."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster.components import Component, Probe
from toolchain.cluster.layout import Layout
from toolchain.cluster.processes import Process, await_

_CALL_SECONDS: Final = 5.0
_START_SECONDS: Final = 90.0
_OK: Final = 200
_TAIL: Final = 12


def await_component(layout: Layout, component: Component, process: Process, *, seconds: float = _START_SECONDS) -> None:
    """Wait until it answers. Raises NeedsAttentionError with the end of its log when it ends or stays silent."""
    answered = await_(lambda: answers(layout, component.probe) or not process.alive, seconds=seconds)
    if answered and process.alive:
        return
    what = f"did not answer within {seconds:.0f} seconds" if process.alive else "ended right after its start"
    raise NeedsAttentionError(
        f"{component.name} of the test cluster {what}:\n{log_end(log_file(layout, component.name))}\n",
        code="cluster_not_started",
        remedy=f"Its whole output is in {log_file(layout, component.name)}. Mend what it names and start again.",
    )


def answers(layout: Layout, probe: Probe) -> bool:
    """Whether the component answers now."""
    if probe.kind == "none":
        return True
    try:
        return _connects(probe.path) if probe.kind == "socket" else _is_well(layout, probe)
    except (OSError, http.client.HTTPException):
        return False


def log_file(layout: Layout, name: str) -> Path:
    """Where a component's output goes."""
    return layout.logs / f"{name}.log"


def log_end(file: Path) -> str:
    """The last lines of a log, indented."""
    if not file.exists():
        return "    (no output)"
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(f"    {line[:300]}" for line in lines[-_TAIL:]) or "    (no output)"


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CALL_SECONDS)
        client.connect(path)
    return True


def _is_well(layout: Layout, probe: Probe) -> bool:
    if probe.kind == "http":
        connection = http.client.HTTPConnection(probe.host, probe.port, timeout=_CALL_SECONDS)
    else:
        connection = http.client.HTTPSConnection(probe.host, probe.port, timeout=_CALL_SECONDS, context=_tls(layout))
    try:
        connection.request("GET", probe.path)
        return connection.getresponse().status == _OK
    finally:
        connection.close()


def _tls(layout: Layout) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Controller manager and scheduler make themselves certificates that nobody signed; only a sign of life is asked.
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    return context
