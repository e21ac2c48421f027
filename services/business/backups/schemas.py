"""Borders of the register of backups."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import PurePath
from typing import Self

from services.kit.http.shape import Shape
from services.tables.backups import Backup


class BackupView(Shape):
    """A backup as its owner and operators see it; where it lies on disk is the platform's own business."""

    id: uuid.UUID
    """Identifier of the backup."""
    name: str
    """Name of the archive."""
    sha256: str
    """Checksum of the encrypted archive, as hex."""
    size: int
    """Bytes of the encrypted archive."""
    reason: str
    """Why it was made."""
    openclaw_version: str | None
    """Version of OpenClaw that wrote the state; None: unknown."""
    created_at: datetime
    """When it was made."""
    verified_at: datetime | None
    """When it was last read back and found whole; None: not yet."""

    @classmethod
    def of(cls, backup: Backup) -> Self:
        """The row as it is shown."""
        names = set(cls.model_fields) - {"name"}
        values = {name: getattr(backup, name) for name in names}
        return cls.model_validate({**values, "name": PurePath(backup.location).name})
