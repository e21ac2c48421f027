"""Rows of limits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base


class RateLimit(Base):
    """One who is counted. A row whose time has passed says the same as none."""

    __tablename__ = "rate_limits"

    subject: Mapped[str] = mapped_column(primary_key=True)
    """What is limited, and whom: `signup 192.0.2.7`."""
    rested_at: Mapped[datetime] = mapped_column(index=True)
    """When all that was taken has come back. As long before it as a burst lasts, nothing more is given."""
