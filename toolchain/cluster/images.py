"""The images of the test cluster, written from what is on this machine: no image registry is asked."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from clawstack.errors import NeedsAttentionError
from toolchain.cluster import archive, contents
from toolchain.cluster import image_store as store
from toolchain.cluster.configs import PAUSE_IMAGE
from toolchain.cluster.contents import OPENCLAW_IMAGE, SHELL_IMAGE, Sources
from toolchain.cluster.packages import BUSYBOX
from toolchain.cluster.pins import PAUSE_BUILD
from toolchain.cluster.programs import programs
from toolchain.ground import pins
from toolchain.ground.building import place
from toolchain.ground.finding import find_node, find_openclaw
from toolchain.ground.oci import Settings
from toolchain.ground.paths import slot
from toolchain.ground.surroundings import Surroundings
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress

REFERENCES: Final = "images.json"
_STORE: Final = "containerd"
_WRITERS: Final = (Path(archive.__file__), Path(contents.__file__))


def images_folder(around: Surroundings) -> Path:
    """Where the images are kept; another OpenClaw, Node, or way of writing them gives another folder."""
    made_from = (*pins.NODE_PINS, *pins.OPENCLAW_PINS, *PAUSE_BUILD.files, *_WRITERS)
    return slot(around.cache, "cluster-images", pins.OPENCLAW, made_from)


def image_store(around: Surroundings) -> Path:
    """The images as containerd has unpacked them."""
    return images_folder(around) / _STORE


def image_references(around: Surroundings) -> dict[str, str]:
    """Full reference (`name:tag@sha256:...`) of each image: pause, busybox, openclaw."""
    references: dict[str, str] = json.loads((images_folder(around) / REFERENCES).read_text())
    return references


def ensure(around: Surroundings, board: Board) -> None:
    """After this the images are in the cache, unpacked."""
    progress = Progress(board=board, name="Images")
    if not (images_folder(around) / REFERENCES).is_file():
        progress.note("writing Node and OpenClaw into an image; about half a minute, 1.5 GB")

        def fill(scratch: Path) -> None:
            _write(around, scratch)

        with progress.doing("writing"):
            place(images_folder(around), fill, waiting=lambda: progress.note("another set-up is at it; waiting"))
    progress.done(f"pause, busybox, OpenClaw {pins.OPENCLAW}")


def _write(around: Surroundings, scratch: Path) -> None:
    sources = _sources(around)
    environ = {"PATH": contents.PATH}
    plain = Settings(environ=environ, machine=around.machine)
    pause = Settings(command=("/pause",), machine=around.machine)
    openclaw = Settings(
        environ={**environ, "HOME": "/home/node", "NODE_ENV": "production"},
        user="1000",
        folder="/app",
        machine=around.machine,
    )
    name = f"{OPENCLAW_IMAGE}:{pins.OPENCLAW}"
    with TemporaryDirectory(dir=scratch) as place:
        files = {image: Path(place, f"{image}.tar") for image in ("pause", "busybox", "openclaw")}
        references = {
            "pause": archive.write_archive(files["pause"], PAUSE_IMAGE, contents.pause(sources), pause),
            "busybox": archive.write_archive(files["busybox"], SHELL_IMAGE, contents.shell(sources), plain),
            "openclaw": archive.write_archive(files["openclaw"], name, contents.openclaw(sources), openclaw),
        }
        (scratch / _STORE).mkdir()
        store.fill(scratch / _STORE, list(files.values()), programs(around))
    (scratch / REFERENCES).write_text(json.dumps(references, indent=2))


def _sources(around: Surroundings) -> Sources:
    node, openclaw, busybox = find_node(around), find_openclaw(around), BUSYBOX.find(around)
    if node is None or openclaw is None or busybox is None:
        raise NeedsAttentionError(
            "The images need Node, OpenClaw and busybox, of which one is missing.",
            remedy=f"Run `{around.interpreter} -m toolchain setup openclaw cluster`.",
        )
    pause = PAUSE_BUILD.binaries(around) / "pause"
    return Sources(busybox=busybox, pause=pause, node=node.path, openclaw=openclaw.path)
