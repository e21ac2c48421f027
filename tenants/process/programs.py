"""The files that supervisord reads, rendered by pure functions."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

from tenants.paths import SupervisorPaths

_KILL_MARGIN_SECONDS: Final = 15
"""After the launcher's own patience with the gateway."""


def program_name(slug: str) -> str:
    """Name of a cell's program and group in supervisord."""
    return f"cell-{slug}"


def slug_of(program: str) -> str | None:
    """The cell behind a program name, None for a program that is not ours."""
    return program.removeprefix("cell-") if program.startswith("cell-") else None


def render_daemon(paths: SupervisorPaths) -> str:
    """`supervisord.conf`: a private socket, rotated log, no web page, one included file per cell."""
    user = "user=root\n" if os.geteuid() == 0 else ""  # says that running as root is meant
    return (
        "; Written by clawstack; changes are lost.\n"
        f"[unix_http_server]\nfile={_escaped(paths.socket)}\nchmod=0700\n\n"
        f"[supervisord]\nlogfile={_escaped(paths.log)}\nlogfile_maxbytes=5MB\nlogfile_backups=3\nloglevel=info\n"
        f"pidfile={_escaped(paths.folder / 'supervisord.pid')}\nnodaemon=true\nsilent=true\nnocleanup=true\numask=077\n"
        f"minfds=1024\n{user}\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\n"
        "[include]\nfiles=programs/*.conf\n"
    )


def render_program(*, slug: str, python: str, log: Path, stop_seconds: float) -> str:
    """The program of one cell.

    startsecs=0: any exit counts as an exit, so that code 78 is never retried; the launcher does the waiting between
    failures that supervisord would do in its back-off state.
    """
    command = " ".join(shlex.quote(part) for part in (python, "-I", "-m", "tenants.process.launcher"))
    return (
        "; Written by clawstack; changes are lost.\n"
        f"[program:{program_name(slug)}]\n"
        f"command={_escaped(command)} launch/{slug}.json\n"
        "directory=%(here)s/..\n"
        "autostart=true\nautorestart=unexpected\nexitcodes=78\nstartsecs=0\nstartretries=1000000\n"
        f"stopsignal=TERM\nstopwaitsecs={int(stop_seconds) + _KILL_MARGIN_SECONDS}\nstopasgroup=false\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile={_escaped(log)}\nstdout_logfile_maxbytes=5MB\nstdout_logfile_backups=3\n"
    )


def _escaped(value: str | Path) -> str:
    """Supervisord expands %(name)s everywhere."""
    return str(value).replace("%", "%%")
