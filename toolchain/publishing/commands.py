"""`python -m toolchain release publish | verify | keys`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from clawstack.errors import InvalidInputError, NeedsAttentionError
from toolchain.ground.surroundings import Surroundings
from toolchain.image import building
from toolchain.publishing import releasing, signing
from toolchain.publishing.reference import Reference, parse
from toolchain.publishing.registry import Registry
from toolchain.publishing.releasing import Release
from toolchain.publishing.verifying import verify
from toolchain.tasks.board import Board
from toolchain.tasks.progress import Progress

PASSWORD: Final = "RELEASE_KEY_PASSWORD"  # noqa: S105 - a variable's name
_REGISTRY: Final = ("REGISTRY_USER", "REGISTRY_PASSWORD")


def add_parser(commands: Any) -> None:
    """`release` beside the other commands."""
    release = commands.add_parser("release", help="publish the image with its manifests, signed; verify one")
    what = release.add_subparsers(dest="what", required=True)
    publish = what.add_parser(
        "publish", help="build, look at everything, push, sign and verify; a dry run without --push"
    )
    publish.add_argument("reference", help="HOST/REPOSITORY:TAG")
    publish.add_argument("--key", type=Path, help=f"private key that signs; {PASSWORD} opens it")
    publish.add_argument("--settings", type=Path, help="YAML of the add-ons of a cluster: renders its manifests too")
    publish.add_argument("--folder", type=Path, help="keep image and manifests here")
    publish.add_argument("--push", action="store_true", help="do it; without, say what would be pushed")
    publish.add_argument(
        "--allow-unfit", action="store_true", help="with stand-in plugins or changed files: for trials"
    )
    publish.add_argument("--json", action="store_true", help="for programs")
    check = what.add_parser("verify", help="refuse an image or manifests that are not as they were published")
    check.add_argument("reference", help="HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST")
    check.add_argument("--key", type=Path, required=True, help="the public key, release.pub")
    keys = what.add_parser("keys", help=f"make a pair of keys; {PASSWORD} closes the private one")
    keys.add_argument("folder", type=Path)


def run(options: argparse.Namespace, around: Surroundings, console: Console) -> int:
    """One command; the answer is the exit code."""
    if options.what == "keys":
        private, public = signing.make_keys(options.folder, os.environ.get(PASSWORD, ""))
        console.print(f"{private} signs and stays with you; {public} verifies and is for everybody.", soft_wrap=True)
        return 0
    reference = parse(options.reference)
    if options.what == "verify":
        with Registry(reference, credentials=credentials(os.environ)) as registry:
            digest = verify(registry, reference, signing.load_public(options.key))
        console.print(f"{reference.name}@{digest} is as it was published.", soft_wrap=True)
        return 0
    quiet = Console(stderr=True, highlight=False) if options.json else console
    with TemporaryDirectory(prefix="clawstack-release-") as scratch:
        release = _publish(options, around, Progress(board=Board(quiet), name="Release"), reference, Path(scratch))
    if options.json:
        sys.stdout.write(json.dumps(_told(release, pushed=options.push)) + "\n")
    return 0


def credentials(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password of the registry, where they were given."""
    user, password = (environ.get(name, "") for name in _REGISTRY)
    return (user, password) if password else None


def _publish(
    options: argparse.Namespace, around: Surroundings, progress: Progress, target: Reference, scratch: Path
) -> Release:
    if not target.tag or target.digest:
        raise InvalidInputError("A release is published under a tag: HOST/REPOSITORY:TAG.", code="bad_reference")
    if options.push and options.key is None:
        raise NeedsAttentionError("A release is signed: name the key with --key.", code="bad_key")
    key = signing.load_private(options.key, os.environ.get(PASSWORD, "")) if options.key else None
    state = building.revision()
    image = building.build(around, progress.board, options.folder or scratch, f"{target.name}:{target.tag}")
    found = list(releasing.objections(around, image, state))
    for objection in found:
        progress.note(objection)
    release = releasing.prepare(target, image, options.settings, state.created)
    if options.folder:
        _keep(release, options.folder)
    if not options.push or key is None:
        progress.done(f"dry run: {release.reference} and {', '.join(release.beside)} would be pushed; --push does it")
        return release
    releasing.require([] if options.allow_unfit else found)
    with Registry(target, credentials=credentials(os.environ)) as registry:
        releasing.push(release, registry, key, progress)
        for tag in (target.tag, *release.beside):
            verify(registry, Reference(host=target.host, repository=target.repository, tag=tag), key.public_key())
    progress.done(f"{release.reference}, signed and verified")
    return release


def _keep(release: Release, folder: Path) -> None:
    for artifact in release.beside.values():
        for named in json.loads(artifact.manifest)["layers"]:
            name = named["annotations"]["org.opencontainers.image.title"]
            (folder / name).write_bytes(artifact.blobs[named["digest"]])


def _told(release: Release, *, pushed: bool) -> dict[str, Any]:
    beside = {tag: artifact.digest for tag, artifact in release.beside.items()}
    return {"image": release.reference, "size": release.image.size, "beside": beside, "pushed": pushed}
