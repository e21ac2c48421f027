"""Where everything of a process cell lies. One module, so that no two disagree.

cells/<slug>/            root-owned, 0711
  config/openclaw.json   root-owned, readable for the cell's account: the cell cannot change it
  state/                 0700, the account's: OPENCLAW_STATE_DIR and home
  logs/gateway.log       root-owned: written by supervisord, rotated
  private/               root-owned, 0700: what the cell's processes see as /tmp, /run and /etc/hosts
supervisor/              root-owned, 0700
  programs/ launch/ run/ locks/   one file per cell in each
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUPERVISOR_SOCKET: Final = "supervisor.sock"


@dataclass(frozen=True, kw_only=True)
class CellPaths:
    """Folders and files below cells/<slug>."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def workspace(self) -> Path:
        return self.state / "workspace"

    @property
    def config_folder(self) -> Path:
        return self.root / "config"

    @property
    def config(self) -> Path:
        return self.config_folder / "openclaw.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "gateway.log"

    @property
    def private(self) -> Path:
        """Mounted into the cell's processes; closed to every account where it lies."""
        return self.root / "private"

    @property
    def temporary(self) -> Path:
        """The cell's `/tmp`."""
        return self.private / "tmp"

    @property
    def hosts(self) -> Path:
        """The platform's names for the cell, which no name server answers."""
        return self.private / "hosts"

    @property
    def erased_marker(self) -> Path:
        """Says that the backup is done and only erasing is left."""
        return self.root / "erase.json"

    @property
    def erasing(self) -> Path:
        """The folder's name while it is erased: a half-erased cell is never taken for a cell."""
        return self.root.parent / f".erasing-{self.root.name}"


@dataclass(frozen=True, kw_only=True)
class SupervisorPaths:
    """Folders and files of one supervisord."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / SUPERVISOR_SOCKET

    @property
    def configuration(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def log(self) -> Path:
        return self.folder / "supervisord.log"

    @property
    def start_lock(self) -> Path:
        return self.folder / "supervisord.lock"

    def program(self, slug: str) -> Path:
        """What supervisord reads about the cell."""
        return self.folder / "programs" / f"{slug}.conf"

    def launch(self, slug: str) -> Path:
        """What the launcher reads: program, environment with secrets, limits. 0600."""
        return self.folder / "launch" / f"{slug}.json"

    def record(self, slug: str) -> Path:
        """What the launcher writes: process ids, starts, the last exit."""
        return self.folder / "run" / f"{slug}.json"

    def operation_lock(self, slug: str) -> Path:
        """Held while somebody changes the cell."""
        return self.folder / "locks" / f"{slug}.lock"
