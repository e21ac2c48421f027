"""Downloads from Pulumi's own site: the CLI's release archive, verified against the published SHA-256 list."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Final

from clawstack.errors import PermanentError, TemporaryError

SITE: Final = "https://get.pulumi.com"
_PROBE_SECONDS: Final = 4.0
_DOWNLOAD_SECONDS: Final = 60.0
"""Between two pieces of data, not for the whole archive."""
_MACHINES: Final = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}


def reachable(site: str = SITE) -> bool:
    """Whether the site answers at all within a few seconds. A refusal is an answer of the network, not an error."""
    try:
        with urllib.request.urlopen(f"{site}/latest-version", timeout=_PROBE_SECONDS):  # noqa: S310 - https, fixed
            return True
    except (OSError, ValueError):
        return False


def fetch_cli(version: str, machine: str, target: Path, *, site: str = SITE) -> None:
    """Puts the files of the release (CLI and language hosts) into `target`.

    Raises TemporaryError when the site does not serve them, PermanentError when the archive is not the one whose
    SHA-256 was published.
    """
    kind = _MACHINES.get(machine)
    if kind is None:
        raise TemporaryError(f"Pulumi publishes no release that this set-up knows for {machine}.")
    name = f"pulumi-v{version}-{kind}.tar.gz"
    expected = _published_sum(_get(f"{site}/releases/sdk/pulumi-{version}-checksums.txt").decode(), name)
    archive = _get(f"{site}/releases/sdk/{name}")
    actual = hashlib.sha256(archive).hexdigest()
    if actual != expected:
        raise PermanentError(
            f"{name} has SHA-256 {actual}, but {expected} was published; it was not unpacked.",
            remedy="Try again from a network that you trust.",
        )
    _unpack(archive, target)


def _published_sum(listing: str, name: str) -> str:
    for line in listing.splitlines():
        digest, _, file = line.partition(" ")
        if file.strip().lstrip("*") == name:
            return digest.lower()
    raise TemporaryError(f"The published SHA-256 list does not name {name}.")


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310 - https, fixed
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, OSError) as error:
        raise TemporaryError(f"{url} was not served ({error}).") from error


def _unpack(archive: bytes, target: Path) -> None:
    """The archive has everything in one folder `pulumi/`, which is dropped."""
    target.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as bundle:
        for member in bundle:
            path = PurePosixPath(member.name)
            if member.isfile() and path.parts[:1] == ("pulumi",):
                member.name = str(PurePosixPath(*path.parts[1:]))
                bundle.extract(member, target, filter="data")
