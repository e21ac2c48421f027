"""`tidying` for cells whose state this machine cannot reach: a shell script that runs as the cell's own account.

So it can harm nobody else, wherever a link leads. It does what `tidying` and `packing` do, except for names that are no
UTF-8, as far as the `find` and `mv` that are there can (GNU's can all of it, busybox's little): what is left, OpenClaw
refuses itself.
"""

from __future__ import annotations

from typing import Final

from tenants.backups.packing import PACK
from tenants.backups.tidying import DEEPEST, FOLDERS, LIFTED, LONGEST
from tenants.process.directories import ASIDE, OWN_FOLDERS

_PASSES: Final = 2000
"""More than what is nested as deep as a plan has inodes takes: each pass shortens by 62 levels."""

#: Defines `tidy STATE MARK`; the mark is another one each time. Says nothing and never fails: OpenClaw is the judge of what comes out.
TIDY: Final = f"""{PACK}
tidy() (
  set +e +u; state=$1; aside={ASIDE}$2
  odd="! -type d ! -type f ! -name *{ASIDE}*"; set -f
  find -P "$state" -type d ! -perm -0700 -execdir chmod u+rwx {{}} \\;
  find -P "$state" -type f ! -perm -0400 -execdir chmod u+r {{}} \\;
  for name in {" ".join(sorted({*FOLDERS, *OWN_FOLDERS, LIFTED}))}; do
    if [ -L "$state/$name" ] || {{ [ -e "$state/$name" ] && [ ! -d "$state/$name" ]; }}; then
      mv "$state/$name" "$state/$name$aside"
    fi
  done
  mkdir -p {" ".join(f'"$state/{name}"' for name in OWN_FOLDERS)}
  find -P "$state/agents" -maxdepth 2 $odd -execdir mv {{}} {{}}"$aside" \\;
  find -P "$state/logs" -maxdepth 1 $odd -execdir mv {{}} {{}}"$aside" \\;
  find -P "$state/state" -maxdepth 1 -name "*.sqlite*" $odd -execdir mv {{}} {{}}"$aside" \\;
  [ -e "$state/state/openclaw.sqlite" ] || for end in wal shm journal; do
    [ ! -e "$state/state/openclaw.sqlite-$end" ] || mv "$state/state/openclaw.sqlite-$end" "$state/state/openclaw.sqlite-$end$aside"
  done
  place=$state; level={DEEPEST + 1}; pass=1
  long=$(printf "%$(({LONGEST} + ${{#state}}))s*" "" | tr " " "?")
  while [ $pass -lt {_PASSES} ]; do
    [ -n "$(find -P "$place" -mindepth $level -maxdepth $level -type d -print -quit)" ] \
      || [ -n "$(find -P "$place" -mindepth 1 -path "$long" -type d -print -quit)" ] || break
    lifted="$state/{LIFTED}/$2-$pass"; mkdir -p "$lifted"
    find -P "$place" -mindepth $level -maxdepth $level -type d -execdir mv --backup=numbered -t "$lifted" -- {{}} +
    find -P "$place" -mindepth 1 -path "$long" -type d -prune -execdir mv --backup=numbered -t "$lifted" -- {{}} +
    rmdir "$lifted" 2> /dev/null && break
    place=$lifted; level={DEEPEST - 1}; pass=$((pass + 1))
  done
  pack "$state" "$2"
) > /dev/null 2>&1
"""
