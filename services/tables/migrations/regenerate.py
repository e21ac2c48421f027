"""Write migration 0001 anew from the tables: `python -m services.tables.migrations.regenerate`.

Only until the first release; afterwards every change gets a migration of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from clawstack.locks import locked
from services.kit.database.connection import driver_url
from services.kit.database.embedded import EmbeddedPostgres
from services.tables.migrate import config

_PROCRASTINATE = """
    from procrastinate.schema import SchemaManager

    # The jobs' schema comes with the pinned release of Procrastinate; an upgrade of it brings a migration of its own.
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())
"""


def main() -> None:
    """Regenerate, one process at a time."""
    versions = Path(__file__).parent / "versions"
    versions.mkdir(exist_ok=True)
    with locked(versions / "__pycache__" / "locks" / "regenerate.lock", seconds=300.0, what="The migration"):
        folder = Path(tempfile.mkdtemp(prefix="claw-mig-"))
        folder.chmod(0o711)
        server = EmbeddedPostgres(data_dir=folder, cache_dir=folder)
        url = server.start()
        target = versions / "0001_initial.py"
        previous = target.read_text() if target.exists() else None
        target.unlink(missing_ok=True)
        try:
            engine = create_engine(driver_url(url))
            with engine.connect() as connection:
                command.revision(
                    config(connection), "Every table of the first release", autogenerate=True, rev_id="0001"
                )
            engine.dispose()
            written = next(versions.glob("0001_*.py"))
            source = written.read_text().replace(
                '    """Apply."""\n', '    """Apply."""\n' + _PROCRASTINATE.lstrip("\n"), 1
            )
            written.unlink()
            target.write_text(source)
        except BaseException:
            if previous is not None:
                target.write_text(previous)
            raise
        finally:
            server.stop()
            shutil.rmtree(folder)
        ruff = Path(sys.executable).parent / "ruff"
        subprocess.run([ruff, "format", "-q", target], check=True)  # noqa: S603 - our own formatter
    print(target)  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
