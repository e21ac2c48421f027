"""Where built and downloaded tools are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path


def cache_root(environ: Mapping[str, str] | None = None) -> Path:
    """The folder that holds everything this project builds or downloads; it may not exist yet.

    `CLAWSTACK_CACHE_DIR`, else `clawstack` in `XDG_CACHE_HOME`, else for root /var/cache/clawstack (root's home is
    closed to others on many systems, and cells run under accounts of their own that must read Node and OpenClaw),
    else ~/.cache/clawstack.
    """
    environ = os.environ if environ is None else environ
    if chosen := environ.get("CLAWSTACK_CACHE_DIR"):
        return Path(chosen).expanduser().absolute()
    if shared := environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser().absolute() / "clawstack"
    if os.geteuid() == 0:
        return Path("/var/cache/clawstack")
    return Path.home() / ".cache" / "clawstack"


def slot(cache: Path, part: str, version: str, pins: tuple[Path, ...] = ()) -> Path:
    """The folder of one version of one part. Other pins give another folder, so nothing in use is ever replaced."""
    digest = hashlib.sha256()
    for pin in pins:
        digest.update(pin.read_bytes())
    return cache / part / (f"{version}-{digest.hexdigest()[:8]}" if pins else version)
