"""What a process of a cell's account finds around it, beside its network wall: set up as root just before it becomes one.

A private `/tmp`: programs make folders there under names that another account could take first (OpenClaw:
`/tmp/openclaw-state-locks-<uid>`), and what one cell left must not meet the next account with its number. `/run` is
empty: sockets there ask name servers, buses and other services on a caller's behalf, past every packet filter.

Shared memory, semaphores and message queues of its own: they outlive every process, count as nobody's memory, and go by
the account's number, which the next cell may get; here they end with the cell's last process.

No new privileges: a set-user-id program would open its sockets as somebody else. Of the kernel's address families the
usual ones: others (SMC, RDS, TIPC, vsock) carry data past the packet filter, or in the kernel's name. No keyrings, which
outlive an account, and no user namespaces: who is root in one mounts file systems in memory that nobody counts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenants.paths import CellPaths

_NEW_MOUNTS: Final = 0x20000
_NEW_IPC: Final = 0x8000000
_NEW_USERS: Final = 0x10000000
_BIND: Final = 0x1000
_RECURSIVE: Final = 0x4000
_SLAVE: Final = 0x80000
_NO_NEW_PRIVILEGES: Final = 38
_SECCOMP: Final = 22
_FILTER: Final = 2
_TEMPORARY: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - they are what is hidden
_EMPTY: Final = ("/run",)
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """Numbers of one processor architecture: its own, and those of calls."""

    architecture: int
    socket: int
    forkers: tuple[int, int]
    """`clone` and `unshare`, whose first argument names what is to be new."""
    absent: tuple[int, ...]
    """As on a kernel without them: `io_uring_setup` opens sockets too; `clone3`, whose arguments no filter can read (C
    libraries then use `clone`); `add_key`, `request_key`, `keyctl`."""


_CALLS: Final = {
    "x86_64": _Calls(architecture=0xC000003E, socket=41, forkers=(56, 272), absent=(425, 435, 248, 249, 250)),
    "aarch64": _Calls(architecture=0xC00000B7, socket=198, forkers=(220, 97), absent=(425, 435, 217, 218, 219)),
}
_FAMILIES: Final = (1, 2, 10, 16)
"""Unix, IPv4, IPv6, netlink (which lists the machine's interfaces)."""
_MPTCP: Final = 262
_X32: Final = 0x40000000
"""Set in calls of x86's third ABI, which has the same architecture."""


def private_places(paths: CellPaths, kept: Iterable[str]) -> None:
    """This process gets temporary folders of the cell's own, an empty `/run` and the cell's hosts file.

    `kept`: paths that it must still see; what holds them in a hidden place stays visible. Raises OSError where the
    kernel lets nobody have mounts of his own.
    """
    temporary, nothing = _folders(paths)
    _check(_libc().unshare(_NEW_MOUNTS | _NEW_IPC))
    _mount("none", "/", _RECURSIVE | _SLAVE)
    seen = [path for path in {str(paths.root), str(Path.cwd()), *kept} if path.startswith("/")]
    for place, content in (*((place, temporary) for place in _TEMPORARY), *((place, nothing) for place in _EMPTY)):
        if Path(place).is_dir() and not Path(place).is_symlink():
            _hide(place, content, {Path(path).relative_to(place).parts[0] for path in seen if _below(path, place)})
    if paths.hosts.is_file():
        _mount(str(paths.hosts), "/etc/hosts", _BIND)
    os.chdir(Path.cwd())  # the same folder, as it is seen from here


def hold_to_itself() -> None:
    """From here on: no privileges by set-user-id programs or user namespaces, no address families that pass the wall by.

    Raises OSError; a kernel without such filters is let pass.
    """
    libc = _libc()
    _check(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return
    code = _program(calls)
    buffer = ctypes.create_string_buffer(code, len(code))
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer)))
    if libc.prctl(_SECCOMP, _FILTER, ctypes.byref(described), 0, 0) != 0 and ctypes.get_errno() != errno.EINVAL:
        _check(-1)


def _program(calls: _Calls) -> bytes:
    """The filter in BPF: what it does not name is allowed. Jumps count instructions to skip."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    number, architecture, first, third = 0, 4, 16, 32
    allow, refuse = 0x7FFF0000, 0x00050000
    families = [(equal, len(_FAMILIES) - index, 0, family) for index, family in enumerate(_FAMILIES)]
    absent = [
        line for call in calls.absent for line in ((equal, 0, 1, call), (give, 0, 0, refuse | errno.ENOSYS))
    ]  # fmt: skip
    forkers = [
        line
        for call in calls.forkers
        for line in (
            (equal, 0, 4, call),
            (load, 0, 0, first),
            (any_bit, 0, 1, _NEW_USERS),
            (give, 0, 0, refuse | errno.EPERM),
            (give, 0, 0, allow),
        )
    ]
    return b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (load, 0, 0, architecture),
            (equal, 1, 0, calls.architecture),
            (give, 0, 0, refuse | errno.ENOSYS),  # another ABI has other numbers
            (load, 0, 0, number),
            (at_least, 0, 1, _X32),
            (give, 0, 0, refuse | errno.ENOSYS),
            *absent,
            *forkers,
            (equal, 1, 0, calls.socket),
            (give, 0, 0, allow),
            (load, 0, 0, first),
            *families,
            (give, 0, 0, refuse | errno.EAFNOSUPPORT),
            (load, 0, 0, third),
            (equal, 0, 1, _MPTCP),
            (give, 0, 0, refuse | errno.EPROTONOSUPPORT),
            (give, 0, 0, allow),
        )
    )


def _folders(paths: CellPaths) -> tuple[Path, Path]:
    """Root's: the cell can enter them only where they are mounted, and others not at all."""
    for folder, mode in ((paths.private, 0o700), (paths.temporary, 0o1777), (paths.private / "nothing", 0o755)):
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(mode)
    return paths.temporary, paths.private / "nothing"


def _hide(place: str, content: Path, names: set[str]) -> None:
    there = [name for name in sorted(names) if Path(place, name).is_dir()]
    sources = {name: os.open(Path(place, name), os.O_PATH | os.O_CLOEXEC) for name in there}
    inside = os.open(content, _FOLDER)
    for name in sources:
        if not _exists(inside, name):
            os.mkdir(name, 0o755, dir_fd=inside)
    _mount(_by(inside), place, _BIND)
    os.close(inside)
    shown = os.open(place, _FOLDER)
    for name, source in sources.items():
        target = os.open(name, _FOLDER, dir_fd=shown)  # never through a link of the cell's making
        _mount(_by(source), _by(target), _BIND | _RECURSIVE)
        os.close(target)
        os.close(source)
    os.close(shown)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _below(path: str, place: str) -> bool:
    return path.startswith(f"{place}/")


def _by(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _mount(source: str, target: str, flags: int) -> None:
    _check(_libc().mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
