"""`python -m toolchain image build | lock`: for people and for whoever publishes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from toolchain.ground.surroundings import Surroundings
from toolchain.image import building, debian, layout, packages
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress


def add_parser(commands: Any) -> None:
    """`image` beside the other commands."""
    image = commands.add_parser("image", help="the image of clawstack's own services")
    what = image.add_subparsers(dest="what", required=True)
    build = what.add_parser("build", help="write it as an OCI layout (and as a tar that containerd imports)")
    build.add_argument("folder", type=Path, help="where to; layers that are there already stay")
    build.add_argument("--name", default="", help="name and tag; default: a local name and the commit")
    build.add_argument("--archive", type=Path, help="also write this tar")
    build.add_argument("--json", action="store_true", help="for programs")
    what.add_parser("lock", help="write the pins anew: Python packages from requirements.txt, Debian's as served now")


def run(options: argparse.Namespace, around: Surroundings, console: Console) -> int:
    """One command; the answer is the exit code."""
    quiet = Console(stderr=True, highlight=False) if getattr(options, "json", False) else console
    board = Board(quiet)
    if options.what == "lock":
        progress = Progress(board=board, name="Image pins")
        packages.lock(around, progress)
        debian.lock(debian.layer(around, progress), around.machine)
        progress.done("written")
        return 0
    image = building.build(around, board, options.folder, options.name)
    if options.archive:
        layout.archive(image, options.archive)
    if options.json:
        sys.stdout.write(json.dumps({"image": image.reference, "digest": image.digest, "size": image.size}) + "\n")
    return 0
