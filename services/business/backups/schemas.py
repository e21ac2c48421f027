"""Borders of the register of backups."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import PurePath
from typing import Self

from pydantic import BaseModel

from services.tables.backups import Backup


class BackupView(BaseModel):
    """A backup as its owner and operators see it; where it lies on disk is the platform's own business."""

    id: uuid.UUID
    name: str
    sha256: str
    size: int
    """Bytes of the encrypted archive."""
    reason: str
    openclaw_version: str | None
    created_at: datetime
    verified_at: datetime | None

    @classmethod
    def of(cls, backup: Backup) -> Self:
        """The row as it is shown."""
        names = set(cls.model_fields) - {"name"}
        values = {name: getattr(backup, name) for name in names}
        return cls.model_validate({**values, "name": PurePath(backup.location).name})
