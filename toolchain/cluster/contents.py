"""What is in the images of the test cluster: a pause program, a shell, and Node with OpenClaw."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster.archive import Entry, tree

SHELL_IMAGE: Final = "clawstack.test/busybox:1"
OPENCLAW_IMAGE: Final = "clawstack.test/openclaw"
NODE_PATH: Final = "/usr/local/bin/node"
OPENCLAW_PATH: Final = "/app/openclaw.mjs"
"""Both as in the official image."""
PATH: Final = "/usr/local/bin:/usr/bin:/bin"

_OPENCLAW_HOME: Final = "/opt/openclaw"
_ACCOUNTS: Final = (
    ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000:node:/home/node:/bin/sh\n"),
    ("etc/group", b"root:x:0:\nnode:x:1000:\n"),
)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the parts come from on this machine."""

    busybox: Path
    pause: Path
    node: Path
    openclaw: Path
    """The package's openclaw.mjs in its npm tree."""


def pause(sources: Sources) -> Iterator[Entry]:
    """One program."""
    yield Entry(path="/pause", source=sources.pause)


def shell(sources: Sources) -> Iterator[Entry]:
    """Busybox under all its names and with its libraries, two accounts and a folder for temporary files."""
    yield Entry(path="/bin/busybox", source=sources.busybox)
    yield from _libraries_of(sources.busybox)
    for applet in _answer(str(sources.busybox), "--list").split():
        if applet != "busybox":
            yield Entry(path=f"/bin/{applet}", link="busybox")
    for path, content in _ACCOUNTS:
        yield Entry(path=f"/{path}", content=content, mode=0o644)
    yield Entry(path="/tmp")  # noqa: S108 - inside the image; pods with a read-only root mount theirs over it
    yield Entry(path="/root")


def openclaw(sources: Sources) -> Iterator[Entry]:
    """The shell, Node with the libraries that it names, and OpenClaw's whole tree."""
    yield from shell(sources)
    yield Entry(path=NODE_PATH, source=sources.node)
    yield from _libraries_of(sources.node)
    package = sources.openclaw.parent
    yield from tree(package.parent, f"{_OPENCLAW_HOME}/node_modules")
    # Modules are found from where a file really lies, so a link to the package is enough.
    yield Entry(path=str(Path(OPENCLAW_PATH).parent), link=f"{_OPENCLAW_HOME}/node_modules/{package.name}")


def libraries(listing: str) -> tuple[str, ...]:
    """The files that `ldd` names, at the places where the loader looks for them."""
    return tuple(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listing, re.MULTILINE))


def _libraries_of(program: Path) -> Iterator[Entry]:
    # Debian has a static busybox and one with libraries; of the former `ldd` says that there is nothing to tell.
    for library in libraries(_answer("ldd", str(program), may_fail=True)):
        yield Entry(path=library, source=Path(library).resolve())


def _answer(*command: str, may_fail: bool = False) -> str:
    answer = subprocess.run(  # noqa: S603 - a program of this machine, no shell
        command, capture_output=True, text=True, check=False, timeout=30
    )
    if answer.returncode and not may_fail:
        raise NeedsAttentionError(f"`{' '.join(command)}` failed: {answer.stderr.strip()}.", code="setup_failed")
    return answer.stdout
