"""An embedded PostgreSQL of a test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from services.kit.database.embedded import EmbeddedPostgres
from toolchain.ground.paths import cache_root


@contextmanager
def running_postgres() -> Iterator[EmbeddedPostgres]:
    """A started server with an empty database, gone afterwards. In /tmp, for a socket's path must be short."""
    folder = Path(tempfile.mkdtemp(prefix="claw-pg-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(data_dir=folder, cache_dir=cache_root())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        rmtree(folder, ignore_errors=True)
