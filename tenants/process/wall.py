"""The network wall on this machine: each cell's account reaches the platform and its own gateway, nothing else (law 3).

nftables judges a packet by the account that opened its socket. An account is closed when it is made
(`tenants.process_provider.account`); its launcher opens the few ways that the gateway needs before each start, so that a
reboot or a flushed rule set never leaves a gateway outside; the sweep looks for walls that somebody took away.

Not here: what a process may do besides the network (`tenants.process.confinement`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from clawstack.errors import TemporaryError
from tenants.paths import SupervisorPaths
from tenants.process import accounts
from tenants.process.files import read_json
from tenants.process.launch import Launch
from tenants.process.wall_rules import NOTHING, PREFIX, Seen, WalledCell, laid, read, removed, skeleton, table_of

REMEDY: Final = (
    "Run the platform as root on Linux with nftables (Debian: apt-get install nftables), or sell cells elsewhere."
)
_FOLDERS: Final = f"{os.defpath}:/usr/sbin:/sbin"
_SECONDS: Final = 30.0
_REFUSALS: Final = ("not permitted", "not supported", "protocol not available", "function not implemented")
"""What a kernel says that has no nftables, or keeps them from this process. Anything else may pass."""


def shortcoming(cells: Path) -> str | None:
    """Why the cells in this folder cannot be walled in on this machine, in one sentence; None where they can."""
    if sys.platform != "linux":
        return "This system is not Linux, which is needed to wall in process cells."
    if os.geteuid() != 0:
        return (
            "The platform does not run as root, so process cells have neither accounts nor a network wall of their own."
        )
    if _nft() is None:
        return "The program nft is missing, so process cells have no network wall."
    return _refusal_of_the_kernel(cells)


def close(cells: Path, uid: int) -> None:
    """This account reaches nothing unless its launcher opened a way for it; does nothing where walls are impossible."""
    if shortcoming(cells) is None:
        table = table_of(cells)
        _run(laid(table, [WalledCell(uid=uid)], NOTHING))  # takes nothing from a gateway that runs: it may be adopted
        _forget_elsewhere(uid, table)


def open_for(launch: Launch) -> str | None:
    """Exactly what this gateway needs is open to its account; the shortcoming where walls are impossible.

    Raises TemporaryError when a name does not resolve or the kernel refuses what it took before: such a gateway must not
    start.
    """
    cells = Path(launch.root).parent
    if launch.uid is None or (why := shortcoming(cells)) is not None:
        return None if launch.uid is None else why
    _run(laid(table_of(cells), [_wanted(launch.uid, launch)], look(cells)))
    return None


def remove(cells: Path, uid: int) -> None:
    """No rule speaks of this account any more, unless somebody else has its number by now; repeating changes nothing."""
    with contextlib.suppress(KeyError):
        if Path(pwd.getpwuid(uid).pw_dir).parent == cells:
            return
    if shortcoming(cells) is not None:
        return
    seen = look(cells)
    if seen.uids() <= {uid}:
        take_down(cells)
    else:
        _run(removed(table_of(cells), [uid], seen))


def mend(cells: Path, supervisor: Path) -> list[str]:
    """Wall in whoever of these cells is not, and forget accounts that are gone; the slugs that were not walled in.

    Takes nothing away from a cell: its launcher may be a step ahead of what was read here. Raises TemporaryError.
    """
    if shortcoming(cells) is not None:
        return []
    seen, theirs = look(cells), accounts.below(cells)
    wanted = {slug: _wanted(uid, _launch(supervisor, slug)) for slug, uid in theirs.items()}
    missing = {slug: cell for slug, cell in wanted.items() if not seen.holds(cell)}
    lost = removed(table_of(cells), seen.uids() - set(theirs.values()), seen)
    if missing or lost:
        _run(laid(table_of(cells), missing.values(), NOTHING) + lost)
    return sorted(missing)


def take_down(cells: Path) -> None:
    """The platform's whole table is gone: for a platform that has no cell any more."""
    if shortcoming(cells) is None:
        _run(f"add table inet {table_of(cells)}\ndelete table inet {table_of(cells)}\n")


def look(cells: Path) -> Seen:
    """The table as it is; an absent one holds nothing. Raises TemporaryError when that cannot be told."""
    return _look(table_of(cells))


def _look(table: str) -> Seen:
    result = _call("-j", "list", "table", "inet", table)
    if result.returncode != 0:
        if "No such file" in result.stderr:
            return NOTHING
        raise _failure(result.stderr)
    return read(result.stdout, table)


def addresses(reaches: Iterable[str]) -> Mapping[str, frozenset[tuple[str, int]]]:
    """By host as it was written: its addresses with the ports. Raises TemporaryError for a name that does not resolve."""
    found: dict[str, frozenset[tuple[str, int]]] = {}
    for place in reaches:
        host, _, port = place.rpartition(":")
        found[host] = found.get(host, frozenset()) | {(address, int(port)) for address in _addresses(host.strip("[]"))}
    return found


def hosts_file(reaches: Iterable[str]) -> str:
    """`/etc/hosts` for a cell: the platform's names, since no name server answers it."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for host, places in addresses(reaches).items():
        if not _is_address(host.strip("[]")) and host != "localhost":
            lines += [f"{address} {host}" for address in sorted({address for address, _ in places})]
    return "\n".join(lines) + "\n"


def _forget_elsewhere(uid: int, own: str) -> None:
    """A platform that was thrown away with its folder may have left rules for a number that is another's by now."""
    listed = json.loads(_call("-j", "list", "tables").stdout or "{}").get("nftables", [])
    names = [entry["table"]["name"] for entry in listed if "table" in entry]
    for table in names:
        if table.startswith(PREFIX) and table != own:
            with contextlib.suppress(TemporaryError):  # somebody else removed it just now
                _run(removed(table, [uid], _look(table)))


def _wanted(uid: int, launch: Launch | None) -> WalledCell:
    if launch is None or launch.uid != uid:
        return WalledCell(uid=uid)
    reaches = frozenset(place for places in addresses(launch.reaches).values() for place in places)
    return WalledCell(uid=uid, port=launch.port, reaches=reaches)


def _launch(supervisor: Path, slug: str) -> Launch | None:
    file = SupervisorPaths(folder=supervisor).launch(slug)
    try:
        return Launch.read(file) if read_json(file) else None
    except (KeyError, TypeError):
        return None


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TemporaryError(
            f"The name {host[:100]} does not resolve, so no cell can be let through to it ({error.strerror}).",
            code="name_not_resolved",
            remedy="Give an address in CLAWSTACK_CELL_PLATFORM_URL, or mend this machine's name service.",
        ) from error
    return [str(entry[4][0]) for entry in found]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@cache
def _refusal_of_the_kernel(cells: Path) -> str | None:
    probe = f"{table_of(cells)}_probe"
    try:
        _run(f"{skeleton(probe)}delete table inet {probe}\n")  # one transaction: nobody ever sees it
    except TemporaryError as error:
        if any(word in error.message.lower() for word in _REFUSALS):
            return f"The kernel refuses rules for process cells: {error.message}"
        raise
    return None


def _run(script: str) -> None:
    if not script:
        return
    result = _call("-f", "-", script=script)
    if result.returncode != 0:
        raise _failure(result.stderr)


def _call(*arguments: str, script: str = "") -> subprocess.CompletedProcess[str]:
    command = (_nft() or "nft", *arguments)
    try:
        return subprocess.run(  # noqa: S603 - no shell; the arguments are this module's own
            command, input=script, env={"LANG": "C"}, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failure(str(error)) from error


def _nft() -> str | None:
    return shutil.which("nft", path=_FOLDERS)


def _failure(said: str) -> TemporaryError:
    first = next((line for line in said.splitlines() if line.strip()), "it said nothing")
    return TemporaryError(
        f"The network wall of process cells could not be laid: {first.strip()[:300]}", code="wall_failed", remedy=REMEDY
    )
