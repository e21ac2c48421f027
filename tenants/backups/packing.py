"""Packs what is larger in a backup than on the disk: files that are mostly holes, and files with many names.

A cell makes a terabyte of either in a moment, and OpenClaw reads every zero and packs a file once for each of its names.
Measured with 2026.9.6 on two cores: 12.5 s for each GiB of holes, 26 s for each GiB of random data, which 31 names made 6.2
GiB of 0.2. So 72 GiB of holes outlasted its time limit, the cell could never be destroyed, and the disk could be filled. GNU
tar asks the file system where the holes are, and knows that names belong together.
"""

from __future__ import annotations

import secrets
import subprocess
from contextlib import suppress
from typing import Final

from tenants.backups import as_cell
from tenants.paths import CellPaths
from tenants.process.accounts import Ids

_MOST: Final = 8 * 1024 * 1024
"""KiB by which a state may seem larger than it is: up to 210 s of OpenClaw's time. Package caches with links stay below."""
_SECONDS: Final = 600.0
"""For as many such files as a plan has inodes, whose data fill its disk."""
_SPARSE: Final = r"^(0|0\.[0-4][0-9]*|[0-9.]+e-[0-9]+) "
"""Less than half of the file is there: `find` prints the share before each name; 0 stands there for one of several names."""

#: Defines `pack STATE MARK`: where there is more of that, such files become one `packed-MARK.tar` in the state, and go only
#: after it is whole. Never fails and says nothing. Needs GNU's tools: elsewhere it does nothing.
PACK: Final = f"""
pack() (
  set +e +u; export LC_ALL=C; cd "$1" || exit 0; packed=packed-$2.tar; list=.packed-$2
  more=$(($(du -l --apparent-size -sk . | cut -f 1) - $(du -sk . | cut -f 1)))
  [ "$more" -gt {_MOST} ] || exit 0
  find -P . -type f ! -path "./state/openclaw.sqlite*" \\
    \\( -links +1 -printf "0 %p\\\\0" -o -size +63k -printf "%S %p\\\\0" \\) \\
    | grep -zE "{_SPARSE}" | sed -z "s/^[^ ]* //" > "$list"
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
    script = ["/bin/sh", "-c", f'{PACK}\npack "$1" "$2"', "sh", str(paths.state), secrets.token_hex(4)]
    with suppress(OSError, subprocess.SubprocessError):  # what is left, OpenClaw's own limits end
        as_cell.run(paths, ids, *script, env={"PATH": "/usr/bin:/bin"}, seconds=_SECONDS, most=as_cell.room(paths))
