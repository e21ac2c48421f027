"""The image of clawstack's own services, built from the repository's recipe and put into the test node: no registry."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from toolchain.cluster.calls import Calls
from toolchain.cluster.running import TestCluster
from toolchain.ground.surroundings import Surroundings
from toolchain.image import building, layout
from toolchain.tasks.board import Board

NAME = "clawstack.test/clawstack:1"


def put_into(cluster: TestCluster, scratch: Path) -> str:
    """Build the image and import it into the running node; returns `name:tag@sha256:...`."""
    board = Board(Console(file=io.StringIO()))
    image = building.build(Surroundings.read(), board, scratch, NAME)
    file = scratch / "clawstack.tar"
    try:
        layout.archive(image, file)
        Calls(layout=cluster.layout, programs=cluster.programs).ctr("images", "import", str(file))
    finally:
        file.unlink(missing_ok=True)
    return image.reference
