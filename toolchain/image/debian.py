"""The lowest layer: Debian's essential packages and Python, put together by mmdebstrap from a Debian mirror."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster.archive import Writable
from toolchain.ground.oci import architecture
from toolchain.ground.paths import slot
from toolchain.ground.surroundings import Downloads, Surroundings
from toolchain.image import recipe
from toolchain.image.layer import Component, Layer, cached, write
from toolchain.steps.system import apt_install
from toolchain.tasks.progress import Progress

MIRROR: Final = "DEBIAN_SOURCE"
"""Variable with a line of sources.list, as one of snapshot.debian.org, instead of Debian's newest."""
_STATUS: Final = "var/lib/dpkg/status"
_SPECIAL: Final = stat.S_ISUID | stat.S_ISGID
_ACCOUNTS: Final = {
    "etc/passwd": f"{recipe.NAME}:x:{recipe.USER}:{recipe.USER}:clawstack:{recipe.HOME}:/usr/sbin/nologin\n",
    "etc/group": f"{recipe.NAME}:x:{recipe.USER}:\n",
}
_SECONDS: Final = 900.0


def layer(around: Surroundings, progress: Progress) -> Layer:
    """The base, from the cache where its recipe is the same."""

    def fill(scratch: Path) -> None:
        with TemporaryDirectory(prefix="clawstack-base-") as place:
            tar = Path(place, "base.tar")
            _bootstrap(around, progress, tar)
            packages = tuple(installed(tar, architecture(around.machine)))
            write(scratch, lambda sink: clean(tar, sink), packages)

    return cached(_folder(around), fill, lambda: progress.note("another set-up makes the base; waiting"))


def _folder(around: Surroundings) -> Path:
    source = os.environ.get(MIRROR, "")
    chosen = f"-{hashlib.sha256(source.encode()).hexdigest()[:8]}" if source else ""
    version = f"{recipe.SUITE}-{architecture(around.machine)}{chosen}"
    return slot(around.cache, "image/debian", version, (Path(recipe.__file__), Path(__file__)))


def _bootstrap(around: Surroundings, progress: Progress, tar: Path) -> None:
    if around.which("mmdebstrap") is None:
        apt_install(around, progress, ["mmdebstrap"], "it makes the base of the image")
    if around.downloads is Downloads.NEVER:
        raise NeedsAttentionError(
            "The base of the image is missing, and CLAWSTACK_TOOLCHAIN_DOWNLOADS=never forbids to get it.",
            remedy="Set it to `registries` or `all`.",
        )
    # What is left out anyway is not even unpacked.
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")]
    source = os.environ.get(MIRROR)
    command: list[str | Path] = [
        "mmdebstrap", "--quiet", "--variant=essential", *excluded,
        f"--include={','.join(recipe.DEBIAN_PACKAGES)}", recipe.SUITE, tar, *([source] if source else []),
    ]  # fmt: skip
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(recipe.EPOCH)}
    progress.note("putting Debian's packages together; about half a minute, once per machine")
    log = around.cache / "logs" / "image-debian.log"
    progress.run(command, log=log, doing="unpacking Debian's packages", environ=environ, limit=_SECONDS)


def clean(tar: Path, sink: Writable) -> None:
    """What the image takes of the base: no devices, no setuid, nothing of the machine that built it; and our account."""
    with tarfile.open(tar) as source, tarfile.open(fileobj=_Stream(sink), mode="w|", format=tarfile.PAX_FORMAT) as out:
        gone: set[str] = set()
        for member in source:
            member.name = member.name.removeprefix("./").rstrip("/")
            if member.name in {"", "."}:
                continue
            if recipe.is_left_out(member.name) or member.ischr() or member.isblk() or member.isfifo():
                gone.add(member.name)
                continue
            _require_target(member, gone)
            member.mode &= ~_SPECIAL
            member.pax_headers = {}
            content = source.extractfile(member) if member.isreg() else None
            out.addfile(member, _with_account(member, content))


def _require_target(member: tarfile.TarInfo, gone: set[str]) -> None:
    if member.islnk():
        member.linkname = member.linkname.removeprefix("./")
        if member.linkname in gone:
            raise AssertionError(f"{member.name} is {member.linkname}, which is left out")  # the recipe is wrong then


def _with_account(member: tarfile.TarInfo, content: IO[bytes] | None) -> IO[bytes] | None:
    line = _ACCOUNTS.get(member.name)
    if line is None or content is None:
        return content
    written = content.read() + line.encode()
    member.size = len(written)
    return io.BytesIO(written)


class _Stream(io.RawIOBase):
    """What tarfile takes for a file that is written from front to back."""

    def __init__(self, sink: Writable) -> None:
        self.write = sink.write  # type: ignore[method-assign]


def installed(tar: Path, machine: str) -> Iterator[Component]:
    """The packages in dpkg's own list (deb-control(5): fields in paragraphs)."""
    with tarfile.open(tar) as source:
        file = source.extractfile(f"./{_STATUS}")
        if file is None:
            raise NeedsAttentionError("The base has no list of packages.", code="setup_failed")
        text = file.read().decode()
    for paragraph in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        yield Component(
            kind="deb",
            name=fields["Package"],
            version=fields["Version"],
            where=f"?arch={fields.get('Architecture', machine)}&distro={recipe.SUITE}",
        )


def deviations(base: Layer, machine: str) -> list[str]:
    """Packages whose version is not the one in the lock, as people read it; empty: all are as they were."""
    locked = json.loads(recipe.DEBIAN_LOCK.read_text()).get(architecture(machine), {}).get("packages", {})
    found = {each.name: each.version for each in base.components}
    names = sorted(locked.keys() | found.keys())
    return [
        f"{name} {found.get(name, 'none')} (locked: {locked.get(name, 'none')})"
        for name in names
        if found.get(name) != locked.get(name)
    ]


def lock(base: Layer, machine: str) -> None:
    """Write down what the base consists of."""
    known = json.loads(recipe.DEBIAN_LOCK.read_text()) if recipe.DEBIAN_LOCK.is_file() else {}
    packages = {each.name: each.version for each in base.components}
    known[architecture(machine)] = {"diff_id": base.diff_id, "packages": packages}
    recipe.DEBIAN_LOCK.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
