"""Packs files that are mostly holes: a cell makes a terabyte of them in a moment, and OpenClaw's backup reads every zero.

Measured with 2026.9.6 on two cores: 12.5 s for each GiB that a file seems to have, so 72 GiB outlast its time limit and the
cell would never be destroyed. GNU tar asks the file system where the holes are and takes no time for them.
"""

from __future__ import annotations

import secrets
import subprocess
from contextlib import suppress
from typing import Final

from tenants.paths import CellPaths
from tenants.process.accounts import Ids
from tenants.process.run_as import command

_MOST: Final = 4 * 1024 * 1024
"""KiB of holes that a state may have: 50 s of OpenClaw's time. Honest ones have next to none; those are left alone."""
_SECONDS: Final = 600.0
"""For as many such files as a plan has inodes, whose pieces of data fill its disk."""
_NAMES: Final = r"^(0|0\.[0-4][0-9]*|[0-9.]+e-[0-9]+) "
"""Less than half of the file is there: `find` prints the share before each name."""

#: Defines `pack_holes STATE MARK`: where there are more holes than that, the files become one `holes-MARK.tar` in the state.
#: Files go only after the archive is whole. Needs GNU's tools: elsewhere it does nothing, and says nothing ever.
PACK_HOLES: Final = f"""
pack_holes() (
  set +e +u; export LC_ALL=C; cd "$1" || exit 0; packed=holes-$2.tar; list=.holes-$2
  holes=$(($(du --apparent-size -sk . | cut -f 1) - $(du -sk . | cut -f 1)))
  [ "$holes" -gt {_MOST} ] || exit 0
  find -P . -type f -size +63k ! -path "./state/openclaw.sqlite*" -printf "%S %p\\0" \
    | grep -zE "{_NAMES}" | sed -z "s/^[^ ]* //" > "$list"
  if [ -s "$list" ] && tar -S --null --no-recursion --verbatim-files-from -T "$list" -cf "$packed"; then
    xargs -0 rm -f -- < "$list"
  else
    rm -f "$packed"
  fi
  rm -f "$list"
) > /dev/null 2>&1
"""


def pack(paths: CellPaths, ids: Ids | None) -> None:
    """Do that in the state of a process cell, as its account; blocks for at most some minutes and never fails."""
    script = ["/bin/sh", "-c", f'{PACK_HOLES}\npack_holes "$1" "$2"', "sh", str(paths.state), secrets.token_hex(4)]
    with suppress(OSError, subprocess.SubprocessError):  # what is left, OpenClaw's own time limit ends
        subprocess.run(  # noqa: S603 - the platform's own script
            command(ids, paths.root, *script), cwd="/", env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS,
        )  # fmt: skip
