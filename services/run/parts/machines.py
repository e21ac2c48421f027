"""Wiring of the machines' side of the platform."""

from __future__ import annotations

from typing import Final

from services.cells.machines.service import LockFiles, MachineDesk
from services.cells.machines.uploads import ArchiveIntake
from services.kit.context import Platform
from services.kit.parts import Part
from services.web.api.machines import MOUNT, machines_app
from toolchain.ground import pins

_MAX_ARCHIVE_BYTES: Final = 20 * 1024**3
"""More than any plan's disk."""


def create_part(platform: Platform) -> Part:
    """Machines as the factory takes them."""
    manifest, lock = pins.OPENCLAW_PINS
    archives = platform.settings.data_dir / "backups"
    app = machines_app(
        desk=MachineDesk(platform, archives=archives),
        intake=ArchiveIntake(platform=platform, folder=archives, max_bytes=_MAX_ARCHIVE_BYTES),
        lock_files=LockFiles(manifest=manifest, lock=lock),
    )
    return Part(name="servers", mounts={MOUNT: app})
