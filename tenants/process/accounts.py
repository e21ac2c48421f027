"""Unprivileged accounts, one per cell, where the platform runs as root."""

from __future__ import annotations

import pwd
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import ConflictError, PermanentError, TemporaryError
from clawstack.locks import locked
from tenants.process.trees import TreeOwner, end_all

_COMMENT: Final = "clawstack cell"
#: Above ordinary users (1000 and up) and below systemd's dynamic users (61184): ids are found free at a glance.
_FIRST_UID: Final = 30_000
_LAST_UID: Final = 59_999
#: In a folder that only root can make: anybody may write to /run/lock, and so be the first to make a lock there.
_LOCK: Final = Path("/run/clawstack-locks/accounts.lock")
_ATTEMPTS: Final = 10
_GONE: Final = 6
"""Exit code of userdel: no such user."""
_TAKEN: Final = 9
"""Exit code of useradd: name in use."""
_BUSY: Final = frozenset({1, 10})
"""Exit codes of useradd and userdel when another tool holds the password files."""


@dataclass(frozen=True, kw_only=True)
class Ids:
    """What the kernel knows of an account."""

    uid: int
    gid: int


def find(name: str) -> Ids | None:
    """The account's ids, None when there is no such account."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Ids(uid=entry.pw_uid, gid=entry.pw_gid)


def below(cells: Path) -> dict[str, int]:
    """Slug and number of every account that was made for a cell in this folder: of one platform, none of another's."""
    entries = [entry for entry in pwd.getpwall() if entry.pw_gecos.startswith(f"{_COMMENT} ")]
    return {Path(e.pw_dir).name: e.pw_uid for e in entries if Path(e.pw_dir).parent == cells and e.pw_uid != 0}


def remove_below(cells: Path) -> None:
    """No account of a cell in this folder is left, nor any process of one; for a platform that is taken down."""
    for entry in [entry for entry in pwd.getpwall() if entry.pw_uid in below(cells).values()]:
        remove(entry.pw_name, Path(entry.pw_dir).name)


def ensure(name: str, slug: str, root: Path) -> Ids:
    """The account of the cell at `root`, made when absent; raises ConflictError when the name belongs to somebody else.

    Its home tells whose it is: without it nobody could say which platform an account that was left behind belongs to.
    """
    with locked(_LOCK, seconds=60.0, what="The list of accounts"):
        if find(name) is None:
            _run(
                "useradd", "--system", "--no-create-home", "--home-dir", str(root), "--shell", "/usr/sbin/nologin",
                "--user-group", "--comment", f"{_COMMENT} {slug}",
                "--key", f"SYS_UID_MIN={_FIRST_UID}", "--key", f"SYS_UID_MAX={_LAST_UID}",
                "--key", f"SYS_GID_MIN={_FIRST_UID}", "--key", f"SYS_GID_MAX={_LAST_UID}", name,
                fine=(_TAKEN,),
            )  # fmt: skip
    _require_ours(name, slug, root)
    ids = find(name)
    if ids is None:
        raise PermanentError(f"The account {name} is not there although useradd made it.", code="account_failed")
    return ids


def remove(name: str, slug: str) -> None:
    """The account and its processes are gone; repeating changes nothing."""
    ids = find(name)
    if ids is None:
        return
    _require_ours(name, slug)
    end_all(TreeOwner(root="", uid=ids.uid), grace=2.0)
    with locked(_LOCK, seconds=60.0, what="The list of accounts"):
        _run("userdel", name, fine=(_GONE,))


def _require_ours(name: str, slug: str, root: Path | None = None) -> None:
    entry = pwd.getpwnam(name)
    elsewhere = root is not None and entry.pw_dir != str(root)
    if entry.pw_gecos != f"{_COMMENT} {slug}" or entry.pw_uid == 0 or elsewhere:
        raise ConflictError(
            f"The account {name} exists and was not made for cell {slug}.",
            code="account_taken",
            remedy=f"Look at it with: getent passwd {name}",
        )


def _run(*command: str, fine: tuple[int, ...]) -> None:
    for attempt in range(_ATTEMPTS):
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - no shell
        if result.returncode == 0 or result.returncode in fine:
            return
        if result.returncode not in _BUSY:
            break
        time.sleep(0.1 * (attempt + 1))
    kind = TemporaryError if result.returncode in _BUSY else PermanentError
    raise kind(
        f"{command[0]} ended with code {result.returncode}: {result.stderr.strip()[:300]}", code="account_failed"
    )
