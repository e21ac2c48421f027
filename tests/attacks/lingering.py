"""Tries to leave something behind that no folder holds, or to get powers of its own. Prints `{what: outcome}`.

"done" where it could, else the error's name.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
KEY = 0x1CE
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
CALLS = {"x86_64": (248, 272), "aarch64": (217, 97)}[os.uname().machine]


def check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def shared_memory() -> None:
    """A segment that outlives every process, and counts as nobody's memory."""
    if LIBC.shmget(KEY, 1 << 20, 0) >= 0:
        raise OSError(errno.EEXIST, "somebody left one")
    check(LIBC.shmget(KEY, 1 << 20, 0o1600))


def keyring() -> None:
    """Keys belong to a number, not to an account: who gets the number next finds them."""
    check(LIBC.syscall(CALLS[0], b"user", b"left", b"secret", 6, -4))


def users() -> None:
    """Root in a world of its own may mount, and so fill memory that nobody counts."""
    check(LIBC.syscall(CALLS[1], NEW_USER))


def users_by_clone() -> None:
    """The same by the other call."""
    child = check(LIBC.syscall({272: 56, 97: 220}[CALLS[1]], NEW_USER | 17, 0, 0, 0, 0))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def threads() -> None:
    """What programs do all the time must go on working."""
    import subprocess
    import threading

    ran = threading.Thread(target=lambda: None)
    ran.start()
    ran.join()
    subprocess.run(["/bin/true"], check=True)


ATTEMPTS: dict[str, Callable[[], None]] = {
    "shared memory": shared_memory,
    "keyring": keyring,
    "users": users,
    "users by clone": users_by_clone,
    "threads": threads,
}


def outcome(attempt: Callable[[], None]) -> str:
    """What came of it."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def in_child(attempt: Callable[[], None]) -> str:
    """Tried in a process of its own: a world that one entered is not left again."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, outcome(attempt).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    return os.read(reader, 100).decode()


def main() -> None:
    """Each attempt by itself."""
    sys.stdout.write(json.dumps({name: in_child(attempt) for name, attempt in ATTEMPTS.items()}) + "\n")


if __name__ == "__main__":
    main()
