"""Temporary folders of the engine's runs: what the CLI and its plugins leave in them goes with the run.

Plugins leave secrets there: the official kubernetes provider a file with the whole kubeconfig, token included, at every
run. A folder is held by a lock that the worker and everything it starts for the run have in common; the kernel lets go of
it when the last of them is dead, however that came. What nobody holds is a dead run's, and is swept.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clawstack.errors import ClawstackError, TemporaryError
from clawstack.logs import get_logger
from clawstack.untrusted_tree import FOLDER, remove

_PREFIX: Final = "run-"
_ATTEMPTS: Final = 3
#: By these the temporary folder is found: POSIX, and the two that some programs ask besides.
_VARIABLES: Final = ("TMPDIR", "TMP", "TEMP")

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """A folder that exists for one run."""

    path: Path
    holder: int
    """A descriptor that the run's processes inherit: while one of them has it, the folder is not swept."""

    def environment(self) -> dict[str, str]:
        """What makes a process put its temporary files there."""
        return dict.fromkeys(_VARIABLES, str(self.path))


def scratch_root(pulumi_home: Path) -> Path:
    """Where the folders lie: beside the CLI's own, which is the platform's alone."""
    return pulumi_home.with_name("tmp")


@contextmanager
def scratch(root: Path) -> Iterator[Scratch]:
    """A new folder below `root`, open to its owner alone; on leaving it is gone with all that was put there."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = _held(root)
    try:
        yield made
    finally:
        _remove(made.path)
        os.close(made.holder)


def sweep(root: Path) -> int:
    """Remove what killed runs left below `root`, and nothing of a run that lives; how many folders that were. Blocks."""
    swept = 0
    for path in sorted(root.glob(f"{_PREFIX}*")):
        with suppress(FileNotFoundError):
            descriptor = os.open(path, FOLDER)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                swept += _remove(path)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)
    if swept:
        log.info("scratch_swept", folders=swept)
    return swept


def _held(root: Path) -> Scratch:
    for _ in range(_ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        descriptor = os.open(path, FOLDER)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if path.exists():  # else a sweep saw it before it was held
            return Scratch(path=path, holder=descriptor)
        os.close(descriptor)
    raise TemporaryError(f"No temporary folder can be kept in {root}.", code="no_scratch")


def _remove(path: Path) -> bool:
    try:
        remove(path)
    except ClawstackError as error:  # the run's own outcome counts; the next sweep tries again
        log.warning("scratch_not_removed", folder=str(path), reason=error.message)
        return False
    return True
