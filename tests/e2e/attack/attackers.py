"""Starts attackers under accounts of their own, and tells them what an attacker could find out."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from services.cli.demonstration.world import World
from tests.e2e.attack import attempts
from tests.e2e.attack.attempts import Attempt
from tests.e2e.people import Customer
from tests.waiting import patient

#: An account that nothing else on the machine uses; it needs no entry in /etc/passwd.
STRANGER = 61999
#: Files of one data folder that are tried; a platform that has just begun has a few hundred.
_MOST_PATHS = 2000
_SCRIPT = Path(attempts.__file__).read_text()
_ENDS_SECONDS = 120.0


@dataclass(kw_only=True)
class Attacker:
    """One account that attacks, by the attempts named."""

    uid: int
    name: str
    attempts: Sequence[Attempt]
    facts: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    tried: set[str] = field(default_factory=set)

    def begin(self, *, seconds: float = 0) -> None:
        """Start to attack, each attempt once and then again until `seconds` have passed."""
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SCRIPT],
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        orders = {"seconds": seconds, "uid": self.uid, "attempts": [attempt.__name__ for attempt in self.attempts]}
        json.dump(self.facts | orders, self.process.stdin)
        self.process.stdin.close()
        self.process.stdin = None  # `communicate` would write to it

    def end(self, *, seconds: float = 0) -> list[str]:
        """What it found, once it is through; the names of the attempts that it made stand in `tried`."""
        assert self.process is not None
        try:
            out, err = self.process.communicate(timeout=patient(seconds + _ENDS_SECONDS))
        finally:
            self.process.kill()
        assert self.process.returncode == 0, f"{self.name} broke off: {err[-2000:]}"
        lines = [json.loads(line) for line in out.splitlines()]
        self.tried = {line["attempt"] for line in lines}
        return [f"{self.name}, {line['attempt']}: {found}" for line in lines for found in line["found"]]


def stranger(world: World, victims: Sequence[Customer]) -> Attacker:
    """Any account of the machine."""
    return Attacker(uid=STRANGER, name="a stranger", attempts=attempts.STRANGER, facts=_facts(world, victims, own=None))


def cell(world: World, own: Customer, victims: Sequence[Customer], *, forbidden: Sequence[int] = ()) -> Attacker:
    """A cell's account, with the cell's tokens; `forbidden`: ports of loopback that it must not reach."""
    facts = _facts(world, victims, own=own)
    facts["forbidden"] += [["127.0.0.1", port] for port in forbidden]
    return Attacker(uid=account_of(own.pid), name=f"the cell {own.slug}", attempts=attempts.CELL, facts=facts)


def leaving(pid: int, folder: Path) -> Attacker:
    """The account of the gateway `pid`, in a folder of its cell that it may write into."""
    return Attacker(
        uid=account_of(pid), name="a cell that leaves", attempts=attempts.LEAVING, facts={"own": str(folder)}
    )


def account_of(pid: int) -> int:
    """The account that a process runs under."""
    return int(psutil.Process(pid).uids().real)


def _facts(world: World, victims: Sequence[Customer], *, own: Customer | None) -> dict[str, Any]:
    files, folders, sockets = _paths(world.data, without=own.folder if own else None)
    return {
        "port": world.port,
        "victims": [
            {"slug": victim.slug, "uid": account_of(victim.pid), "port": _port(victim.observed["endpoint"])}
            for victim in victims
        ],
        "foreign_chats": [victim.parent.chat_id for victim in victims],
        "pids": [psutil.Process().pid, *(victim.pid for victim in victims)],
        "locks": _locks(world.data, without=own.folder if own else None),
        "files": files,
        "folders": folders,
        "sockets": sockets,
        "tokens": [] if own is None else _tokens(own),
        "forbidden": [["127.0.0.1", _port(world.urls.sandbox)], ["169.254.169.254", 80]]
        + [["127.0.0.1", _port(victim.observed["endpoint"])] for victim in victims],
        "name_servers": ["127.0.0.1", "127.0.0.53"],
    }


def _paths(data: Path, *, without: Path | None) -> tuple[list[str], list[str], list[str]]:
    files, folders, sockets = [], [], []
    for path in _below(data, without):
        mode = path.lstat().st_mode
        kind = folders if stat.S_ISDIR(mode) else sockets if stat.S_ISSOCK(mode) else files
        if len(kind) < _MOST_PATHS and not stat.S_ISLNK(mode):
            kind.append(str(path))
    return files, folders, sockets


def _below(folder: Path, without: Path | None) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path == without or not os.path.lexists(path):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, without)


def _locks(data: Path, *, without: Path | None) -> list[str]:
    """Files that are there, and a name that whoever may write into the folder would make first."""
    found = [*data.rglob("*.lock"), *Path("/run").rglob("clawstack*.lock"), data / "postgres.lock"]
    foreign = {str(path) for path in found if without is None or not path.is_relative_to(without)}
    return sorted(foreign)


def _tokens(customer: Customer) -> list[str]:
    environ = customer.environ()
    return sorted({value for value in environ.values() if value.startswith(("clawpx_", "clawch_"))})


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/", 1)[0])


def listener() -> socket.socket:
    """A service of this machine that is no business of any cell."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(patient(1))
    return server
