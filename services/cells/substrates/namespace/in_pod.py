"""What is run inside a cell's pod to make an archive of its state, or to put one in place.

Shell of the plainest kind: the official image is a Debian, others have a busybox. None of the cell's tokens is needed.
"""

from __future__ import annotations

import base64
import io
import re
import secrets
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from clawstack.errors import NeedsAttentionError, TemporaryError
from services.cells.substrates.namespace.keeper import Room
from tenants.backups.archive import Archive
from tenants.backups.finishing import FINISH, UNFINISHED
from tenants.backups.stream import Opened
from tenants.backups.tidying_script import TIDY
from tenants.namespace.files import CONFIG_FILE, CONFIG_MOUNT, ROOT_FILE, VOLUME
from tenants.namespace.settings import NamespaceSettings
from tenants.spec import CellSpec

_PIECE: Final = 128 * 1024
_UNUSED: Final = 40
_USED: Final = 41
_UNVERIFIED: Final = 42
_RESULT: Final = re.compile(r"^clawstack-archive (?P<path>/\S+) (?P<sha256>[0-9a-f]{64})$", re.MULTILINE)
#: $1 slug, $2 node, $3 openclaw.mjs, $4 an id for this run.
_OPENCLAW: Final = (
    "set -eu; umask 077; "
    f"root={VOLUME}/$1; node=$2; openclaw=$3; id=$4; state=$root/state; "
    'export HOME="$state" OPENCLAW_HOME="$state" OPENCLAW_STATE_DIR="$state" '
    f'OPENCLAW_CONFIG_PATH="$root/config/{CONFIG_FILE}" OPENCLAW_INCLUDE_ROOTS={CONFIG_MOUNT} '
    "OPENCLAW_CONFIG_READONLY=1 OPENCLAW_NO_AUTO_UPDATE=1 DO_NOT_TRACK=1 NO_COLOR=1; "
    'used() { [ -e "$state/state" ] || [ -e "$state/agents" ] || [ -e "$state/openclaw.json" ]; }; '
)
#: On the volume where there is room for it (a killed run's leftovers are removed first), else in the pod's own /tmp.
_MAKE: Final = _OPENCLAW + (
    'rm -rf "$root"/backup-* /tmp/backup-*; '
    f"used || exit {_UNUSED}; {TIDY}\n"
    'tidy "$state" "$id"; need=$(du -sk "$state"); need=${need%%[!0-9]*}; set -- $(df -Pk "$root" | tail -n 1); '
    'out=$root/backup-$id; [ "$4" -gt "$need" ] || out=/tmp/backup-$id; mkdir "$out"; export TMPDIR="$out"; '
    # OpenClaw archives its configuration too, but refuses included files that are links, as a ConfigMap's are.
    f'cat {CONFIG_MOUNT}/{CONFIG_FILE} > "$out/{CONFIG_FILE}"; export OPENCLAW_CONFIG_PATH="$out/{CONFIG_FILE}"; '
    'create() { "$node" "$openclaw" backup create --output "$out" --verify --json > "$out/answer" 2> "$out/errors"; }; '
    f'finish() {{ grep -qE "{UNFINISHED}" "$out/errors" && "$node" "$openclaw" {" ".join(FINISH)} > /dev/null 2>&1; }}; '
    "create || { code=$?; finish && create; } "
    '|| { cat "$out/errors" >&2; tail -c 1000 "$out/answer" >&2; rm -rf "$out"; exit $code; }; '
    f'grep -q \'"verified": *true\' "$out/answer" || {{ tail -c 1000 "$out/answer" >&2; rm -rf "$out"; exit {_UNVERIFIED}; }}; '
    'set -- "$out"/*.tar.gz; [ $# -eq 1 ] && [ -f "$1" ]; sum=$(sha256sum < "$1"); '
    'echo "clawstack-archive $1 ${sum%% *}"'
)
_FORGET: Final = 'rm -rf "${1%/*}"'
_RECEIVE: Final = _OPENCLAW + (
    f"used && exit {_USED}; "
    'rm -rf "$root"/restore-*; mkdir -p "$root/config" "$state/tmp" "$root/restore-$id"; '
    f'cp {CONFIG_MOUNT}/{ROOT_FILE} "$root/config/{CONFIG_FILE}"; '
    'cat > "$root/restore-$id/archive.tar.gz"; sum=$(sha256sum < "$root/restore-$id/archive.tar.gz"); '
    'echo "clawstack-archive $root/restore-$id/archive.tar.gz ${sum%% *}"'
)
#: The new cell's folder holds no state yet: between the two renames nothing can be lost.
_PLACE: Final = _OPENCLAW + (
    'from=$root/restore-$id; export TMPDIR="$from"; '
    '"$node" "$openclaw" backup restore "$from/archive.tar.gz" --target "$from/restored" > "$from/answer" 2>&1 '
    '|| { code=$?; tail -c 2000 "$from/answer" >&2; exit $code; }; '
    'rm "$from/archive.tar.gz"; find "$from/restored" -type f -path "*/state/openclaw.sqlite" > "$from/all"; found=; '
    # The outermost: the customer may keep a copy of one in the workspace.
    "while IFS= read -r one; do one=${one%/state/openclaw.sqlite}; "
    '[ -n "$found" ] && [ "${#found}" -le "${#one}" ] || found=$one; done < "$from/all"; '
    'while IFS= read -r one; do case $one in "$found"/*) ;; *) found=; break ;; esac; done < "$from/all"; '
    '[ -n "$found" ] || { echo "the archive holds $(wc -l < "$from/all") state directories" >&2; exit 1; }; '
    'mv "$state" "$from/empty"; mv "$found" "$state"; '
    'mkdir -p "$state/tmp" "$state/logs" "$state/workspace"; chmod u=rwx,go=,g-s "$state"; rm -rf "$from"'
)


@dataclass(frozen=True, kw_only=True)
class MadeArchive:
    """A plain archive in a pod."""

    path: str
    sha256: str


async def make_archive(room: Room, spec: CellSpec, settings: NamespaceSettings) -> MadeArchive | None:
    """Have OpenClaw make and check an archive of the state; None where no gateway ever wrote any.

    Raises NeedsAttentionError with OpenClaw's words when it cannot.
    """
    code, output, errors = await room.run(_MAKE, *_arguments(spec, settings))
    if code == _UNUSED:
        return None
    found = _RESULT.search(output)
    if code != 0 or found is None:
        words = errors.strip() or output.strip() or "it said nothing"
        raise _failed(f"`openclaw backup create` failed for {spec.slug} (exit code {code}): {words[-1500:]}")
    return MadeArchive(path=found["path"], sha256=found["sha256"])


async def forget_archive(room: Room, made: MadeArchive) -> None:
    """Nothing plain is left in the pod; what cannot be removed now is removed before the next archive is made."""
    await room.run(_FORGET, made.path)


async def fill(room: Room, spec: CellSpec, settings: NamespaceSettings, archive: Archive) -> bool:
    """Put the state of `archive` in place; False where a gateway wrote already."""
    arguments = _arguments(spec, settings)
    with archive.path.open("rb") as file:
        plain = io.BufferedReader(Opened(file, key=base64.b64decode(archive.key), slug=archive.slug), _PIECE)
        code, output, errors = await room.run(_RECEIVE, *arguments, stdin=cast("BinaryIO", plain))
    if code == _USED:
        return False
    found = _RESULT.search(output)
    if code != 0 or found is None or found["sha256"] != archive.manifest.plain_sha256:
        raise TemporaryError(
            f"The backup {archive.manifest.archive} did not arrive complete in {spec.slug}: {errors.strip()[-500:]}",
            code="restore_incomplete",
            remedy="The operation is tried again; the new cell is still empty.",
        )
    code, _, errors = await room.run(_PLACE, *arguments)
    if code != 0:
        raise _failed(f"`openclaw backup restore` failed for {spec.slug} (exit code {code}): {errors.strip()[-1500:]}")
    return True


def _arguments(spec: CellSpec, settings: NamespaceSettings) -> tuple[str, str, str, str]:
    return spec.slug, settings.node, settings.openclaw, secrets.token_hex(4)


def _failed(sentence: str) -> NeedsAttentionError:
    return NeedsAttentionError(
        sentence,
        code="backup_failed",
        remedy="Mend the cause and run the operation again, or destroy with skip_backup; nothing was erased.",
    )
